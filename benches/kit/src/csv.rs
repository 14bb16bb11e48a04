//! The measurements as CSV: a line for each, with its whole setting.

use std::fmt::Write as _;

use super::results::Results;

/// The columns, in their order.
pub const CSV_HEADER: &str = "dimension,value,contestant,repetition,feed,workers,seed,events,rate,left_parts,right_parts,\
    keys,left_keys,right_keys,selectivity,payload_bytes,window_ms,slide_ms,seconds,events_per_second,pairs,\
    peak_memory_bytes,latency_windows,latency_p50_ms,latency_p90_ms,latency_p99_ms,latency_max_ms";

/// All measurements. What was not measured is empty.
pub(super) fn csv(results: &Results) -> String {
    let mut text = format!("{CSV_HEADER}\n");
    for measured in &results.dimensions {
        for (point, by_contestant) in measured.dimension.points.iter().zip(&measured.runs) {
            let (setting, workload) = (&point.setting, &point.setting.workload);
            let ms = |duration: dualgauge::Duration| duration.as_micros() as f64 / 1e3;
            for ((name, _), runs) in results.contestants.iter().zip(by_contestant) {
                for (repetition, run) in runs.iter().enumerate() {
                    let latency = run.latency.map(|latency| {
                        let [p50, p90, p99, max] = [latency.p50, latency.p90, latency.p99, latency.max].map(ms);
                        format!("{},{p50},{p90},{p99},{max}", latency.windows)
                    });
                    let cells = [
                        quoted(measured.dimension.name),
                        quoted(&point.label),
                        quoted(name),
                        (repetition + 1).to_string(),
                        setting.feed.name().to_string(),
                        setting.workers.to_string(),
                        workload.seed.to_string(),
                        workload.events.to_string(),
                        workload.rate.to_string(),
                        workload.ratio.left.to_string(),
                        workload.ratio.right.to_string(),
                        workload.keys.to_string(),
                        workload.left_keys.to_string(),
                        workload.right_keys.to_string(),
                        workload.selectivity.to_string(),
                        workload.payload.to_string(),
                        ms(setting.windows.size).to_string(),
                        ms(setting.windows.slide).to_string(),
                        format!("{:.6}", run.seconds),
                        format!("{:.0}", workload.events as f64 / run.seconds),
                        run.pairs.to_string(),
                        run.peak_bytes.map_or(String::new(), |bytes| bytes.to_string()),
                        latency.unwrap_or_else(|| ",,,,".to_string()),
                    ];
                    writeln!(text, "{}", cells.join(",")).expect("a string takes all");
                }
            }
        }
    }
    text
}

/// A text as a cell, in quotes if it has a comma or a quote in it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}
