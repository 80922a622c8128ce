# syntax=docker/dockerfile:1
# The web app and the scan, for a computer or a cluster that runs containers.
#
#   docker build -t melodysim .
#   docker run --rm -p 127.0.0.1:8765:8765 -v melodysim:/data melodysim
#   docker run --rm -v melodysim:/data melodysim library init   # unless the web app has run before
#   docker run --rm -v melodysim:/data -v "$PWD/renders:/tracks:ro" melodysim \
#       scan /tracks --output /data/scan --html
#
# The library, the checks and the cache lie in the volume /data.

FROM python:3.12-slim-bookworm AS wheels
# The compiler of the kernels stays behind in this stage.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN MELODYSIM_KERNELS=require pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . ./models

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 1000 melodysim && install -d -o melodysim -g melodysim /data
# hadolint ignore=DL3013,DL3042
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir /wheels/melodysim_models-*.whl \
        "$(echo /wheels/melodysim-*.whl)[audio,score,report,serve,m4a,cluster]" \
    && python -m compileall -q /usr/local/lib/python3.12/site-packages/melodysim
USER 1000:1000
ENV MELODYSIM_LIBRARY=/data/library.db \
    XDG_CACHE_HOME=/data/cache \
    NUMBA_CACHE_DIR=/data/cache/numba
VOLUME /data
WORKDIR /data
EXPOSE 8765
ENTRYPOINT ["melodysim"]
CMD ["serve", "--host", "0.0.0.0", "--no-open", "--folder", "/data/checks"]
