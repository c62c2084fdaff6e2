"""Attention kernels: pure functions on arrays, which know nothing of PostgreSQL.

`registry.find` names a mechanism, `attend.attend` scores keys with it, `ranking.ranked` puts the rows in
order.
"""
