//! The measurements as one page: self-contained, with its plots in it, in light or dark colours.

use std::fmt::Write as _;

use super::plot::{Plot, Scale, escaped, number};
use super::results::{Measured, Results, Spread};
use super::sweep::Size;

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #3f444b; --grid: #8a8f9838; --paper: #fff; --strong: #17191c; --note: #b4690e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #b4b9c1; --grid: #8a8f9840; --paper: #16181b; --strong: #eceef1; --note: #e0a458 }
}
body { font: 15px/1.5 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1120px; margin: 2.5rem auto; padding: 0 1.2rem }
h1, h2 { color: var(--strong); line-height: 1.25 } h1 { font-size: 1.7rem } h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem }
p { margin: .4rem 0 } .about { max-width: 46rem } .note { color: var(--note); font-weight: 600 }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; margin: .8rem 0 } .plots svg { max-width: 100%; height: auto }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .18rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid) }
th { font-weight: 600; color: var(--strong) } th:first-child, td:first-child { text-align: left }
b { color: var(--strong) } dt { font-weight: 600; color: var(--strong); margin-top: .3rem } dd { margin: 0 0 0 1rem }
small { opacity: .8 } summary { cursor: pointer } code { font-size: 13px }
";

/// The page.
pub(super) fn page(results: &Results) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>dualgauge: window joins</title>\n<style>\n{STYLE}</style>\n<h1>Window joins, measured</h1>\n"
    );
    head(&mut html, results);
    for measured in &results.dimensions {
        section(&mut html, results, measured);
    }
    html + "</html>\n"
}

/// The plots of a dimension, each with the stem of its file's name.
pub(super) fn plots(results: &Results, measured: &Measured) -> Vec<(String, String)> {
    let dimension = &measured.dimension;
    let draw = |what: &str, title: &str, scale, value: &dyn Fn(usize, usize) -> Option<Spread>| {
        let points = 0..dimension.points.len();
        let of = |contestant| points.clone().map(|point| value(point, contestant)).collect();
        let names = results.contestants.iter().enumerate();
        let plot = Plot {
            title,
            axis: dimension.axis,
            labels: dimension.points.iter().map(|point| point.label.as_str()).collect(),
            series: names.map(|(contestant, (name, _))| (name.as_str(), of(contestant))).collect(),
            scale,
        };
        let svg = if dimension.is_patterns() { plot.bars() } else { plot.lines() };
        (format!("{}-{what}", dimension.name), svg)
    };
    let memory = draw("memory", "Peak memory, MB", Scale::Linear, &|point, of| measured.peak_mb(point, of));
    if dimension.is_live() {
        let title = "Latency, ms: the mark is p99, the bar p50 to max";
        vec![draw("latency", title, Scale::Powers, &|point, of| measured.latency_ms(point, of)), memory]
    } else {
        let title = "Throughput, events/s: median, least and greatest";
        vec![draw("throughput", title, Scale::Linear, &|point, of| measured.throughput(point, of)), memory]
    }
}

fn head(html: &mut String, results: &Results) {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    put(html, format_args!("<p>{}</p>", escaped(&machine())));
    put(
        html,
        format_args!(
            "<p>dualgauge {}, {build} build; size <code>{}</code>, seed {}, {} repetitions of each history in alternation, \
             each run in a process of its own; all contestants agreed with a nested loop before anything was timed.</p>",
            env!("CARGO_PKG_VERSION"),
            results.size.name(),
            results.seed,
            results.size.repeats()
        ),
    );
    if results.size == Size::Quick || cfg!(debug_assertions) {
        let why = "This run shows that everything works. Its inputs are small or its build is slow: quote none of its figures.";
        put(html, format_args!("<p class=\"note\">{why}</p>"));
    }
    put(
        html,
        format_args!(
            "<p class=\"about\"><b>How to read it.</b> One thing is varied at a time; the others stay at the base: 200,000 events \
             a second, shared by both sides, in tumbling windows of 100 ms, as many keys as a side has rows in a window, \
             16 bytes of payload, one worker, from Parquet. Throughput counts the events of both sides, from the start of \
             a job to its end, reading and writing out every pair included. Latency is that of a live run: from the moment \
             at which the event that closes a window was scheduled to arrive, to the moment at which the window's last pair \
             was at the sink. Arrivals keep to the clock whatever the job does, so a job that falls behind shows it.</p>"
        ),
    );
    put(html, format_args!("<dl>"));
    for (name, about) in &results.contestants {
        put(html, format_args!("<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(about)));
    }
    put(html, format_args!("</dl>"));
}

fn section(html: &mut String, results: &Results, measured: &Measured) {
    let dimension = &measured.dimension;
    let live = if dimension.is_live() { "Live: " } else { "" };
    put(html, format_args!("<h2 id=\"{}\">{live}{}</h2>", dimension.name, escaped(&first_upper(dimension.axis))));
    put(html, format_args!("<p class=\"about\">{}</p>\n<div class=\"plots\">", escaped(dimension.about)));
    plots(results, measured).iter().for_each(|(_, svg)| html.push_str(svg));
    put(html, format_args!("</div>\n<details open><summary>Figures</summary>\n<div class=\"wide\">"));
    table(html, results, measured);
    put(html, format_args!("</div></details>"));
}

fn table(html: &mut String, results: &Results, measured: &Measured) {
    let dimension = &measured.dimension;
    let what = if dimension.is_live() { "p50 / p99 / max ms; windows" } else { "events/s; MB" };
    put(html, format_args!("<table><tr><th>{}</th><th>events</th><th>pairs</th>", escaped(dimension.axis)));
    for (name, _) in &results.contestants {
        put(html, format_args!("<th>{}<br><small>{what}</small></th>", escaped(name)));
    }
    put(html, format_args!("</tr>"));
    for (at, point) in dimension.points.iter().enumerate() {
        let (events, pairs) = (point.setting.workload.events as f64, measured.pairs(at) as f64);
        let label = escaped(&point.label);
        put(html, format_args!("<tr><td>{label}</td><td>{}</td><td>{}</td>", number(events), number(pairs)));
        let all = 0..results.contestants.len();
        let fastest = all.clone().filter_map(|of| Some(measured.throughput(at, of)?.median)).fold(0.0, f64::max);
        for contestant in all {
            let cell = if dimension.is_live() {
                live_cell(measured, at, contestant)
            } else {
                history_cell(measured, at, contestant, fastest)
            };
            put(html, format_args!("<td>{cell}</td>"));
        }
        put(html, format_args!("</tr>"));
    }
    put(html, format_args!("</table>"));
}

fn history_cell(measured: &Measured, point: usize, contestant: usize, fastest: f64) -> String {
    let Some(throughput) = measured.throughput(point, contestant) else { return String::new() };
    let rate = number(throughput.median);
    let rate = if throughput.median == fastest { format!("<b>{rate}</b>") } else { rate };
    match measured.peak_mb(point, contestant) {
        Some(peak) => format!("{rate} <small>{:.0}</small>", peak.greatest),
        None => rate,
    }
}

fn live_cell(measured: &Measured, point: usize, contestant: usize) -> String {
    let latency = measured.runs[point][contestant].first().and_then(|run| run.latency);
    let ms = |duration: dualgauge::Duration| number(duration.as_micros() as f64 / 1e3);
    latency.map_or("none closed".to_string(), |latency| {
        let (p50, p99, max) = (ms(latency.p50), ms(latency.p99), ms(latency.max));
        format!("{p50} / <b>{p99}</b> / {max} <small>{}</small>", latency.windows)
    })
}

/// What the machine is, as far as it says.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {model}; {} {}", std::env::consts::OS, kernel.trim())
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(html, "{what}").expect("a string takes all");
}
