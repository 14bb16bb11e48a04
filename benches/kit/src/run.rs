//! A whole run: compare with the oracle, measure, write it down.

use std::fs;
use std::path::Path;

use super::contestant::{Contestant, Feed, Setting};
use super::csv::csv;
use super::feed;
use super::measure::{Measurement, measure};
use super::page::{page, plots};
use super::plot::number;
use super::results::{Measured, Results};
use super::sweep::{Dimension, Point, Size, sweep};
use super::verify::verify;
use dualgauge::{Error, Result};

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) contestants: Vec<Contestant>,
    pub(super) size: Size,
    pub(super) seed: u64,
    /// Only these dimensions; all, if there are none.
    pub(super) only: Vec<String>,
    pub(super) out: &'a Path,
}

/// By contestant: every repetition.
type Runs = Vec<Vec<Measurement>>;

/// Runs the bench and prints each measurement as soon as it is taken.
pub(super) fn run(request: &Request<'_>) -> Result<()> {
    let Request { contestants, size, seed, out, .. } = request;
    let refused = |error| Error::io(format!("cannot write to {}", out.display()), error);
    fs::create_dir_all(out).map_err(refused)?;
    let compared = verify(contestants, *seed)?;
    println!("{compared} answers at small sizes are those of a nested loop");
    let mut results = Results {
        size: *size,
        seed: *seed,
        contestants: contestants.iter().map(|one| (one.name().to_string(), one.about().to_string())).collect(),
        dimensions: Vec::new(),
    };
    // A setting that is in several dimensions, as the base is, is measured once.
    let mut known: Vec<(Setting, Runs)> = Vec::new();
    for dimension in sweep(*size, *seed) {
        if !request.only.is_empty() && !request.only.iter().any(|name| name == dimension.name) {
            continue;
        }
        println!("\n{} ({})", dimension.name, dimension.axis);
        let mut runs = Vec::new();
        for point in &dimension.points {
            let at = match known.iter().position(|(setting, _)| *setting == point.setting) {
                Some(at) => at,
                None => {
                    let place = || format!("{} {}", dimension.name, point.label);
                    let measured = measure_all(contestants, point, *size, out).map_err(|error| error.at(place()))?;
                    known.push((point.setting, measured));
                    known.len() - 1
                }
            };
            runs.push(known[at].1.clone());
        }
        let measured = Measured { dimension, runs };
        (0..measured.runs.len()).for_each(|point| println!("{}", line(&measured, &results, point)));
        results.dimensions.push(measured);
    }
    write_all(&results, out).map_err(refused)?;
    println!("\n{}", out.join("index.html").display());
    println!("{}", out.join("window_join.csv").display());
    Ok(())
}

/// Measures every contestant at a point, in alternation.
fn measure_all(contestants: &[Contestant], point: &Point, size: Size, out: &Path) -> Result<Runs> {
    let setting = &point.setting;
    let live = setting.feed == Feed::Live;
    let scratch = || {
        let made = tempfile::Builder::new().prefix("data-").tempdir_in(out);
        made.map_err(|error| Error::io(format!("a directory for data in {}", out.display()), error))
    };
    let history = scratch()?;
    if !live {
        feed::prepare(setting, history.path())?;
    }
    let mut runs: Runs = vec![Vec::new(); contestants.len()];
    for _ in 0..if live { 1 } else { size.repeats() } {
        for (contestant, runs) in contestants.iter().zip(&mut runs) {
            if live {
                // A log is written while it is read, so each run has its own.
                let logs = scratch()?;
                feed::prepare(setting, logs.path())?;
                runs.push(measure(contestant, setting, logs.path())?);
            } else {
                runs.push(measure(contestant, setting, history.path())?);
            }
        }
    }
    let answer = |run: &Measurement| (run.pairs, run.checksum);
    let first = answer(&runs[0][0]);
    for (contestant, runs) in contestants.iter().zip(&runs) {
        if let Some(other) = runs.iter().find(|run| answer(run) != first) {
            let (name, against) = (contestant.name(), contestants[0].name());
            let (found, expected) = (answer(other), first);
            return Err(Error::data(format!(
                "{name} has found {} pairs (checksum {:x}) where {against} has found {} (checksum {:x})",
                found.0, found.1, expected.0, expected.1
            )));
        }
    }
    Ok(runs)
}

/// What a point came to, as a line.
fn line(measured: &Measured, results: &Results, point: usize) -> String {
    let mut line = format!("  {:<24}", measured.dimension.points[point].label);
    for (at, (name, _)) in results.contestants.iter().enumerate() {
        let figure = if measured.dimension.is_live() {
            measured
                .latency_ms(point, at)
                .map_or("none closed".to_string(), |ms| format!("p99 {} ms", number(ms.median)))
        } else {
            measured.throughput(point, at).map_or(String::new(), |rate| format!("{}/s", number(rate.median)))
        };
        line += &format!("  {name} {figure:<10}");
    }
    line.trim_end().to_string()
}

fn write_all(results: &Results, out: &Path) -> std::io::Result<()> {
    fs::write(out.join("window_join.csv"), csv(results))?;
    for measured in &results.dimensions {
        for (name, svg) in plots(results, measured) {
            fs::write(out.join(name).with_extension("svg"), svg)?;
        }
    }
    fs::write(out.join("index.html"), page(results))
}

/// The names of all dimensions.
pub(super) fn dimension_names() -> Vec<&'static str> {
    sweep(Size::Verify, 0).iter().map(|dimension: &Dimension| dimension.name).collect()
}
