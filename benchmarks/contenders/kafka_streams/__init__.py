"""The job in Kafka Streams: Java sources, the jars they need, and how they are compiled and started."""
