package bench.streams;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** Tells each partition's restored rows, and how long after the first one began it was done. */
final class RestoreTime implements StateRestoreListener {
    private long began;

    @Override
    public synchronized void onRestoreStart(TopicPartition partition, String store, long start, long end) {
        if (began == 0) {
            began = System.nanoTime();
        }
    }

    @Override
    public void onBatchRestored(TopicPartition partition, String store, long end, long rows) {}

    @Override
    public synchronized void onRestoreEnd(TopicPartition partition, String store, long rows) {
        System.out.printf("%s restored %d rows in %.3f s%n", partition, rows, (System.nanoTime() - began) / 1e9);
        System.out.flush();
    }
}
