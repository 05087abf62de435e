package bench.streams;

import bench.Billed;
import bench.Entry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;

/** Avro's own specific records, with everything reused that can be. */
final class SpecificCodec implements EnrichmentJob.Codec {
    private static final int HEADER = 5;

    private static final class Tools {
        final SpecificDatumReader<Entry> reader = new SpecificDatumReader<>(Entry.class);
        final SpecificDatumWriter<Billed> writer = new SpecificDatumWriter<>(Billed.class);
        final ByteArrayOutputStream out = new ByteArrayOutputStream(512);
        BinaryDecoder decoder;
        BinaryEncoder encoder;
    }

    private final ThreadLocal<Tools> tools = ThreadLocal.withInitial(Tools::new);

    @Override
    public Entry read(byte[] framed) {
        Framing.check(framed, Framing.ENTRY);
        Tools mine = tools.get();
        mine.decoder = DecoderFactory.get().binaryDecoder(framed, HEADER, framed.length - HEADER, mine.decoder);
        try {
            return mine.reader.read(null, mine.decoder);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    @Override
    public byte[] write(Billed billed) {
        Tools mine = tools.get();
        mine.out.reset();
        mine.out.writeBytes(Framing.BILLED);
        mine.encoder = EncoderFactory.get().directBinaryEncoder(mine.out, mine.encoder);
        try {
            mine.writer.write(billed, mine.encoder);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
        return mine.out.toByteArray();
    }
}
