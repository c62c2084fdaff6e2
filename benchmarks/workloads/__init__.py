"""Every workload, by name: a function that takes the server and gives the Workload."""

from workloads.cold_read import cold_read
from workloads.connection import first_query, preloaded_first_query
from workloads.copies import copies
from workloads.cross import cross
from workloads.graph import graph
from workloads.kernels import kernels
from workloads.load import load
from workloads.mechanisms import mechanisms
from workloads.overhead import overhead
from workloads.scaling import scaling
from workloads.score import score
from workloads.search import search
from workloads.shards import shards

WORKLOADS = {
    "overhead": overhead,
    "first_query": first_query,
    "preloaded_first_query": preloaded_first_query,
    "cold_read": cold_read,
    "search": search,
    "scaling": scaling,
    "copies": copies,
    "load": load,
    "shards": shards,
    "cross": cross,
    "score": score,
    "graph": graph,
    "mechanisms": mechanisms,
    "kernels": kernels,
}
