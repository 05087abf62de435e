package bench.streams;

import bench.Billed;
import bench.Entry;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The enrichment job in Kafka Streams: masters in memory, the ids seen in a persistent store with its changelog. */
public final class EnrichmentJob {
    static final String SEEN = "seen";

    public static void main(String[] arguments) throws Exception {
        Masters masters = Masters.read(Path.of(given("MASTERS")));
        KafkaStreams streams = new KafkaStreams(topology(masters), settings());
        CountDownLatch stopped = new CountDownLatch(1);
        streams.setGlobalStateRestoreListener(new RestoreTime());
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }

    static String given(String name) {
        String value = System.getenv("BENCH_WORKER_" + name);
        if (value == null) {
            throw new IllegalStateException("BENCH_WORKER_" + name + " is not set: the harness starts this");
        }
        return value;
    }

    private static Topology topology(Masters masters) {
        Codec codec = "direct".equals(System.getProperty("bench.codec")) ? new DirectCodec() : new SpecificCodec();
        StoreBuilder<KeyValueStore<String, byte[]>> seen = Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(SEEN), Serdes.String(), Serdes.ByteArray());
        seen = Boolean.getBoolean("bench.caching") ? seen.withCachingEnabled() : seen.withCachingDisabled();
        Deserializer<Entry> entries = (topic, bytes) -> codec.read(bytes);
        Serializer<Billed> bills = (topic, billed) -> codec.write(billed);
        return new Topology()
            .addSource("in", new ByteArrayDeserializer(), entries, given("INPUT"))
            .addProcessor("bill", () -> new Biller(masters), "in")
            .addStateStore(seen, "bill")
            .addSink("out", given("OUTPUT"), new ByteArraySerializer(), bills, "bill");
    }

    private static Properties settings() {
        Map<String, Object> settings = new HashMap<>();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, given("APP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given("BROKER"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, given("STATE"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, System.getProperty("bench.guarantee"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Integer.getInteger("bench.commit", 100));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.getInteger("bench.threads", 1));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.ISOLATION_LEVEL_CONFIG), "read_committed");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 8 << 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 10_000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
        Properties properties = new Properties();
        properties.putAll(settings);
        return properties;
    }

    /** What the topology needs of a codec; used by one thread a call, so implementations keep no shared buffers. */
    interface Codec {
        Entry read(byte[] framed);

        byte[] write(Billed billed);
    }
}
