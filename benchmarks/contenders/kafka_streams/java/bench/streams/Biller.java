package bench.streams;

import bench.Billed;
import bench.Entry;
import bench.PricedBy;
import java.math.BigDecimal;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** An entry not seen before is joined, priced and sent on. */
final class Biller implements Processor<byte[], Entry, byte[], Billed> {
    private static final byte[] ONCE = {'1'};
    private final Masters masters;
    private ProcessorContext<byte[], Billed> context;
    private KeyValueStore<String, byte[]> seen;

    Biller(Masters masters) {
        this.masters = masters;
    }

    @Override
    public void init(ProcessorContext<byte[], Billed> context) {
        this.context = context;
        this.seen = context.getStateStore(EnrichmentJob.SEEN);
    }

    @Override
    public void process(Record<byte[], Entry> record) {
        Entry entry = record.value();
        if (seen.putIfAbsent(entry.getEntryId(), ONCE) == null) {
            context.forward(record.withValue(bill(entry)));
        }
    }

    private Billed bill(Entry entry) {
        Masters.Project project = masters.project(entry.getProjectId());
        int day = (int) entry.getWorkDate().toEpochDay();
        Masters.Rate rate = masters.ofProject(entry.getProjectId(), day);
        PricedBy pricedBy = PricedBy.project;
        if (rate == null) {
            rate = masters.ofLaborCategory(entry.getLaborCategory(), day);
            pricedBy = PricedBy.labor_category;
        }
        if (project == null || rate == null) {
            throw new IllegalStateException("no project or rate for " + entry.getEntryId());
        }
        // rate (ten-thousandths an hour) x minutes / 60, half away from zero; neither is negative
        long cents = (2 * rate.units() * entry.getMinutes() + 6000) / 12000;
        Billed billed = new Billed();
        billed.setEntryId(entry.getEntryId());
        billed.setProjectId(entry.getProjectId());
        billed.setTaskId(entry.getTaskId());
        billed.setConsultantId(entry.getConsultantId());
        billed.setClientId(project.clientId());
        billed.setLegalEntity(project.legalEntity());
        billed.setCostCenter(project.costCenter());
        billed.setWorkDate(entry.getWorkDate());
        billed.setMinutes(entry.getMinutes());
        billed.setLaborCategory(entry.getLaborCategory());
        billed.setBillable(entry.getBillable());
        billed.setApprovedBy(entry.getApprovedBy());
        billed.setNote(entry.getNote());
        billed.setPricedBy(pricedBy);
        billed.setRate(rate.amount());
        billed.setRateValidFrom(rate.from());
        billed.setAmount(BigDecimal.valueOf(cents, 2));
        billed.setCurrency(project.currency());
        billed.setSource(entry.getSource());
        billed.setOccurredAt(entry.getOccurredAt());
        return billed;
    }
}
