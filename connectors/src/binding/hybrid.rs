//! Two bindings as one source: each side takes its own options, and both together those of the engine.

use dualgauge_engine::flow::SourceOptions;
use dualgauge_engine::{Error, EventTime, Result, Source};

use super::{bind_as, opened_log, parquet_files, parse, shared, source};
use crate::hybrid::Hybrid;

/// History and live behind each other: the second binding goes on where the first one ends.
///
/// Without a seam, the files must be those that were archived from the log: they say themselves where they end. Any two
/// sources can be cut at an event time. Each side takes the options of its own connector, and what the engine takes of a
/// source ([`hybrid_options`]) may stand at either.
///
/// # Errors
/// As for [`source`]; two sources that need a seam and have none; files that do not fit the log.
pub fn hybrid(history: &str, live: &str, seam: Option<EventTime>) -> Result<Box<dyn Source>> {
    hybrid_options(history, live)?;
    if let Some(seam) = seam {
        return Ok(Box::new(Hybrid::of(source(history)?.into(), source(live)?.into(), seam)));
    }
    let ((files, _), (log, _)) = (parse(history)?, parse(live)?);
    let unproved = || {
        Error::usage(format!(
            "`{history},{live}`: where the one ends and the other begins is known only of Parquet files and the followed \
             log that they were archived from; say the seam, an event time"
        ))
    };
    if files.scheme != "parquet" || log.scheme != "log" {
        source(history).and(source(live))?; // a mistyped option is told first
        return Err(unproved());
    }
    let of_both = |binding: &mut _| shared(binding).map(drop);
    let (before, after) = (bind_as(history, parquet_files, of_both)?, bind_as(live, opened_log, of_both)?);
    if Source::bounded(&after) {
        return Err(unproved());
    }
    let archived = Hybrid::archived_as(before, after);
    Ok(Box::new(archived.map_err(|error| error.at(format!("`{history},{live}`")))?))
}

/// The options in two bindings of one source that override what the graph says of it. They are of the source as a whole,
/// whichever of its sides says them.
///
/// # Errors
/// As for [`source`]; an option of which the sides say different things.
///
/// ```
/// use dualgauge_connectors::binding;
///
/// let options = binding::hybrid_options("csv:old/?disorder=5s", "csv:new/?follow=true&bad=drop").unwrap();
/// assert_eq!(options, binding::source_options("csv:both/?disorder=5s&bad=drop").unwrap());
/// assert!(binding::hybrid_options("csv:old/?disorder=5s", "csv:new/?disorder=1s").is_err());
/// ```
pub fn hybrid_options(history: &str, live: &str) -> Result<SourceOptions> {
    let ((_, mut before), (_, mut both)) = (parse(history)?, parse(live)?);
    // Read by itself first, so that a wrong value is told with its own binding; what is left is for the connector.
    let of_history = before.options.clone();
    shared(&mut before).map_err(|error| error.at(format!("`{history}`")))?;
    for (name, value) in of_history.into_iter().filter(|given| !before.options.contains(given)) {
        match both.options.iter().find(|(other, _)| *other == name) {
            None => both.options.push((name, value)),
            Some((_, same)) if *same == value => {}
            Some((_, other)) => {
                return Err(Error::usage(format!(
                    "`{history},{live}`: option `{name}` is of the source as a whole, and its history says `{value}` and its \
                     live part `{other}`; say it once"
                )));
            }
        }
    }
    shared(&mut both).map_err(|error| error.at(format!("`{live}`")))
}
