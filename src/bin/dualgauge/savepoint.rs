//! `dualgauge checkpoint savepoint`: asks the running job for a checkpoint that is kept, and waits for it.

use std::io::Write;

use clap::{Arg, ArgMatches, Command, value_parser};
use dualgauge::checkpoint::{SavepointRequest, open_existing_store};
use dualgauge::{Clock, Duration, Error, Result, SystemClock};

/// How often to check whether the savepoint is there.
const LOOK: std::time::Duration = std::time::Duration::from_millis(200);

pub(crate) fn command(place: Arg) -> Command {
    Command::new("savepoint")
        .about("Ask the job that runs for a checkpoint that is kept for ever, and wait until it is there")
        .long_about(
            "Ask the job that runs for a checkpoint that is kept for ever, and wait until it is there.\n\nThe job need not \
             be on this machine: it is asked through its place of checkpoints, where it looks once a second. Prints the epoch.",
        )
        .arg(place)
        .arg(
            Arg::new("within")
                .long("within")
                .value_name("TIME")
                .value_parser(value_parser!(Duration))
                .default_value("60s")
                .help("How long to wait"),
        )
}

pub(crate) fn call(place: &str, matches: &ArgMatches) -> Result<()> {
    let within = *matches.get_one::<Duration>("within").expect("it has a default");
    if !within.is_positive() {
        return Err(Error::usage(format!("--within {within}: a savepoint takes some time; give it at least a second")));
    }
    let (store, clock) = (open_existing_store(place)?, SystemClock::new());
    let mut request = SavepointRequest::make(&*store)?;
    loop {
        if let Some(epoch) = request.answer(&*store)? {
            // If standard output is closed, nobody wants to read this.
            let _ = writeln!(std::io::stdout(), "savepoint of epoch {epoch}");
            return Ok(());
        }
        if clock.elapsed() > within {
            request.withdraw(&*store)?;
            return Err(Error::environment(format!(
                "{}: no savepoint within {within}: does the job run, and with these checkpoints? One with much new state takes \
                 longer: --within 10m",
                store.describe()
            )));
        }
        std::thread::sleep(LOOK);
    }
}
