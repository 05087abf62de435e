package bench.streams;

import java.util.Arrays;

/** Confluent's wire framing: a zero byte and the schema's id. */
final class Framing {
    static final byte[] ENTRY = {0, 0, 0, 0, 1};
    static final byte[] BILLED = {0, 0, 0, 0, 2};

    static void check(byte[] framed, byte[] header) {
        if (!Arrays.equals(framed, 0, header.length, header, 0, header.length)) {
            throw new IllegalArgumentException("not under the schema of this topic");
        }
    }

    private Framing() {}
}
