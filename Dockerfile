# PostgreSQL 17 with ruattn_fdw and pgvector, all else from Debian: docs/container.md. make test-container builds and tries it.

FROM debian:trixie-slim AS server
ENV LANG=C.UTF-8 PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data
# a volume outlives the image, so the account that owns it has the number that others' images give it
RUN set -eu; \
    groupadd --gid 999 postgres; \
    useradd --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres; \
    install -d /etc/postgresql-common/createcluster.d; \
    echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/none.conf; \
    apt-get update -q; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        postgresql-17 postgresql-17-pgvector python3 python3-numpy python3-numexpr python3-scipy \
        python3-psycopg python3-psycopg-c python3-threadpoolctl libopenblas0-pthread libpython3.13; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*; \
    install -d -o postgres -g postgres -m 3777 /run/postgresql; \
    install -d -o postgres -g postgres -m 700 "$PGDATA"; \
    install -d /docker-entrypoint-initdb.d

FROM server AS build
RUN set -eu; \
    apt-get update -q; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        gcc libc6-dev python3-dev python3-pip python3-setuptools python3-venv; \
    cd /tmp; \
    apt-get download -q postgresql-server-dev-17; \
    dpkg --extract postgresql-server-dev-17_*.deb /; \
    rm -rf postgresql-server-dev-17_*.deb /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY ruattn_fdw ruattn_fdw
COPY kernels kernels
COPY host host
COPY sql sql
COPY examples examples
RUN python3 -m venv --system-site-packages --without-pip /opt/ruattn \
    && pip --python /opt/ruattn install --no-index --no-deps --no-build-isolation . \
    && /opt/ruattn/bin/ruattn install --pg-config /usr/lib/postgresql/17/bin/pg_config

FROM build AS test
RUN set -eu; \
    apt-get update -q; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        python3-hypothesis python3-pytest python3-pytest-xdist python3-rich python3-safetensors; \
    rm -rf /var/lib/apt/lists/*
COPY . .
ARG TESTS="tests/host tests/tables tests/index/test_declarations.py tests/index/test_forms.py tests/index/test_rows.py"
RUN server=/usr/lib/postgresql/17/bin/pg_config; /opt/ruattn/bin/python -P -m pytest -n auto \
    --pg="$server" --preload="$server" -m "not slow and not long and not container" $TESTS

FROM server
COPY --from=build /opt/ruattn /opt/ruattn
COPY --from=build /usr/lib/postgresql/17/lib/ruattn_fdw.so /usr/lib/postgresql/17/lib/
COPY --from=build /usr/share/postgresql/17/extension/ruattn_fdw* /usr/share/postgresql/17/extension/
RUN printf "%s\n" "listen_addresses = '*'" "shared_preload_libraries = 'ruattn_fdw'" \
    >> /usr/share/postgresql/17/postgresql.conf.sample
COPY docker-entrypoint.sh /usr/local/bin/
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --start-period=60s CMD pg_isready --quiet --host=127.0.0.1
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
