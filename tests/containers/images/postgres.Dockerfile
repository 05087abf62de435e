# PostgreSQL with the environment of the official image.
ARG BASE
FROM ${BASE}
COPY postgres.sh /usr/local/bin/postgres.sh
RUN chmod 755 /usr/local/bin/postgres.sh && install --directory --owner=postgres --mode=0700 /var/lib/postgresql/data
ENV PGDATA=/var/lib/postgresql/data
USER postgres
VOLUME /var/lib/postgresql/data
CMD ["/usr/local/bin/postgres.sh"]
