//! Every query over history and over the live log: the answers must be the same.

use dualgauge::{Error, Result};

use crate::answer::Answer;
use crate::data::{self, Size};
use crate::queries::QUERIES;
use crate::run;

/// A minute of events.
const SIZE: Size = Size { events: 60_000, rate: 1_000 };

pub fn history_and_live() -> Result<()> {
    let history = data::history(SIZE)?;
    println!("{} events as Parquet files, and appended to a log meanwhile; other calls: --help\n", SIZE.events);
    println!("{:<14} {:>8} {:>10} {:>10}  digest of both answers", "query", "rows", "history s", "live s");
    for query in QUERIES {
        let (replayed, followed) = (Answer::new(&query, true, None), Answer::new(&query, true, None));
        let replay = run::over_history(&query, &history, 1, &replayed)?;
        let live = run::over_logs(&query, SIZE, 2, &followed)?;
        let [replay, live] = [replay, live].map(|outcome| outcome.elapsed.as_micros() as f64 / 1e6);
        let (replayed, followed) = (replayed.total(), followed.total());
        println!("{:<14} {:>8} {replay:>10.3} {live:>10.3}  {replayed}", query.name, replayed.rows);
        if replayed != followed || replayed.rows == 0 {
            let (name, rows) = (query.name, followed.rows);
            return Err(Error::usage(format!("{name}: live gives {rows} rows with digest {followed}")));
        }
    }
    println!("\nOne answer each.");
    Ok(())
}
