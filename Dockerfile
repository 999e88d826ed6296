# For a CPU. Build it, then run any command on a folder of yours, as yourself:
#   docker build -t det_inception .
#   docker run --rm --user "$(id -u)" -v "$PWD:/work" det_inception detect photo.jpg

FROM python:3.12-slim AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM python:3.12-slim
COPY --from=wheel /wheel /wheel
COPY constraints.txt /
# Headless OpenCV last: it needs no libraries of a screen, see docs/installation.md.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c /constraints.txt /wheel/*.whl \
    && pip install --no-cache-dir --no-deps --force-reinstall -c /constraints.txt opencv-python-headless \
    && rm -r /wheel
# For users without a home.
ENV XDG_CACHE_HOME=/tmp/cache TORCH_HOME=/tmp/cache/torch MPLCONFIGDIR=/tmp/cache/matplotlib NUMBA_CACHE_DIR=/tmp/cache/numba
WORKDIR /work
ENTRYPOINT ["det-inception"]
CMD ["--help"]
