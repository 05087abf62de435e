package bench.streams;

import bench.Billed;
import bench.Entry;
import bench.Status;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Arrays;

/** The same two contracts read and written field by field by hand, without Avro's readers and writers. */
final class DirectCodec implements EnrichmentJob.Codec {
    private static final Status[] STATUSES = Status.values();
    private final ThreadLocal<Out> outs = ThreadLocal.withInitial(Out::new);

    @Override
    public Entry read(byte[] framed) {
        Framing.check(framed, Framing.ENTRY);
        In in = new In(framed);
        Entry entry = new Entry();
        entry.setEntryId(in.text());
        entry.setProjectId(in.text());
        entry.setTaskId(in.text());
        entry.setConsultantId(in.text());
        entry.setWorkDate(LocalDate.ofEpochDay(in.number()));
        entry.setMinutes(in.number());
        entry.setLaborCategory(in.text());
        entry.setBillable(in.flag());
        entry.setStatus(STATUSES[(int) in.number()]);
        entry.setApprovedBy(in.maybeText());
        entry.setNote(in.maybeText());
        entry.setSource(in.text());
        entry.setOccurredAt(Instant.ofEpochMilli(in.number()));
        return entry;
    }

    @Override
    public byte[] write(Billed billed) {
        Out out = outs.get();
        out.at = 0;
        out.bytes(Framing.BILLED);
        out.text(billed.getEntryId());
        out.text(billed.getProjectId());
        out.text(billed.getTaskId());
        out.text(billed.getConsultantId());
        out.text(billed.getClientId());
        out.text(billed.getLegalEntity());
        out.text(billed.getCostCenter());
        out.number(billed.getWorkDate().toEpochDay());
        out.number(billed.getMinutes());
        out.text(billed.getLaborCategory());
        out.number(billed.getBillable() ? -1 : 0); // zigzag of -1 is the byte 1
        out.maybeText(billed.getApprovedBy());
        out.maybeText(billed.getNote());
        out.number(billed.getPricedBy().ordinal());
        out.decimal(billed.getRate());
        out.number(billed.getRateValidFrom().toEpochDay());
        out.decimal(billed.getAmount());
        out.text(billed.getCurrency());
        out.text(billed.getSource());
        out.number(billed.getOccurredAt().toEpochMilli());
        return Arrays.copyOf(out.data, out.at);
    }

    private static final class In {
        private final byte[] data;
        private int at = Framing.ENTRY.length;

        In(byte[] data) {
            this.data = data;
        }

        long number() {
            long number = 0;
            int shift = 0;
            byte next;
            do {
                next = data[at++];
                number |= (next & 0x7FL) << shift;
                shift += 7;
            } while (next < 0);
            return (number >>> 1) ^ -(number & 1);
        }

        boolean flag() {
            return data[at++] != 0;
        }

        String text() {
            int length = (int) number();
            String text = new String(data, at, length, StandardCharsets.UTF_8);
            at += length;
            return text;
        }

        String maybeText() {
            return number() == 0 ? null : text();
        }
    }

    private static final class Out {
        private byte[] data = new byte[1024];
        private int at;

        void room(int count) {
            if (at + count > data.length) {
                data = Arrays.copyOf(data, Math.max(2 * data.length, at + count));
            }
        }

        void bytes(byte[] bytes) {
            room(bytes.length);
            System.arraycopy(bytes, 0, data, at, bytes.length);
            at += bytes.length;
        }

        void number(long value) {
            room(10);
            long rest = (value << 1) ^ (value >> 63);
            while ((rest & ~0x7FL) != 0) {
                data[at++] = (byte) (rest & 0x7F | 0x80);
                rest >>>= 7;
            }
            data[at++] = (byte) rest;
        }

        void text(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            number(bytes.length);
            bytes(bytes);
        }

        void maybeText(String text) {
            if (text == null) {
                number(0);
            } else {
                number(1);
                text(text);
            }
        }

        void decimal(BigDecimal value) {
            byte[] unscaled = value.unscaledValue().toByteArray();
            number(unscaled.length);
            bytes(unscaled);
        }
    }
}
