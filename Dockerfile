# digit-exp in a container: docker build -t digit-exp . && docker run --rm -v "$PWD/work:/data" digit-exp
# Every RUN line has been tried by .ci/container in a fresh root folder; docker itself has not built this.
FROM debian:bookworm-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git python3 python3-venv && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 digit && mkdir /data && chown digit /data

FROM base
WORKDIR /src
COPY pyproject.toml README.md LICENSE requirements.lock ./
COPY src src
COPY conf conf
# the locked versions; their checksums would ask for those of the tools for tests as well
RUN sed -n 's/ *\\$//; /^[a-z0-9].*==/p' requirements.lock > /tmp/versions.txt
RUN python3 -m venv /opt/digit-exp && /opt/digit-exp/bin/pip install --no-cache-dir -c /tmp/versions.txt . "psycopg2-binary>=2.9,<3"
RUN rm -rf /src/* /tmp/versions.txt
ENV PATH=/opt/digit-exp/bin:/usr/local/bin:/usr/bin:/bin
USER digit
WORKDIR /data
ENTRYPOINT ["digit-exp"]
