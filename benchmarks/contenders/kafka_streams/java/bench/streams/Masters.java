package bench.streams;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** Projects and dated rates in memory; the file's form is told in benchmarks/enrichment/masters.py. */
final class Masters {
    record Project(String clientId, String legalEntity, String currency, String costCenter) {}

    record Rate(LocalDate from, int fromDay, int toDay, long units, BigDecimal amount) {}

    private record Dated(int[] starts, Rate[] rates) {
        Rate on(int day) {
            int at = Arrays.binarySearch(starts, day);
            at = at >= 0 ? at : -at - 2;
            return at >= 0 && day < rates[at].toDay() ? rates[at] : null;
        }
    }

    private final Map<String, Project> projects = new HashMap<>();
    private final Map<String, Dated> byProject;
    private final Map<String, Dated> byLaborCategory;

    private Masters(Path file) throws IOException {
        Map<String, TreeMap<Integer, Rate>> own = new HashMap<>();
        Map<String, TreeMap<Integer, Rate>> general = new HashMap<>();
        for (String line : Files.readAllLines(file)) {
            String[] part = line.split(",");
            if (part[0].equals("P")) {
                projects.put(part[1], new Project(part[2], part[3], part[4], part[5]));
            } else {
                int from = Integer.parseInt(part[3]);
                long units = Long.parseLong(part[5]);
                Rate rate = new Rate(
                    LocalDate.ofEpochDay(from), from, Integer.parseInt(part[4]), units, BigDecimal.valueOf(units, 4));
                (part[1].equals("project") ? own : general).computeIfAbsent(part[2], id -> new TreeMap<>()).put(from, rate);
            }
        }
        byProject = dated(own);
        byLaborCategory = dated(general);
    }

    static Masters read(Path file) throws IOException {
        return new Masters(file);
    }

    private static Map<String, Dated> dated(Map<String, TreeMap<Integer, Rate>> rates) {
        Map<String, Dated> dated = new HashMap<>();
        rates.forEach((id, each) -> dated.put(
            id, new Dated(each.keySet().stream().mapToInt(day -> day).toArray(), each.values().toArray(new Rate[0]))));
        return dated;
    }

    Project project(String id) {
        return projects.get(id);
    }

    Rate ofProject(String id, int day) {
        Dated dated = byProject.get(id);
        return dated == null ? null : dated.on(day);
    }

    Rate ofLaborCategory(String id, int day) {
        Dated dated = byLaborCategory.get(id);
        return dated == null ? null : dated.on(day);
    }
}
