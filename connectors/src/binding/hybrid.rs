//! Two bindings as one source: each side takes its own options, and the two together take the engine's.

use dualgauge_engine::flow::SourceOptions;
use dualgauge_engine::{Error, EventTime, Remedy, Result, Source};

use super::{Registry, shared};
use crate::hybrid::Hybrid;

impl Registry {
    /// History, then live: the second binding continues where the first one ends.
    ///
    /// # Errors
    /// As for [`Registry::source`]; two sources that need a seam and have none; a history that does not fit the live
    /// side.
    pub fn hybrid(&self, history: &str, live: &str, seam: Option<EventTime>) -> Result<Box<dyn Source>> {
        self.hybrid_options(history, live)?;
        // Each side by itself first, so that a mistyped option is reported before a mismatch of the two.
        let (before, after) = (self.source(history)?, self.source(live)?);
        if let Some(seam) = seam {
            return Ok(Box::new(Hybrid::of(before.into(), after.into(), seam)));
        }
        let ((files, mut before), (connector, mut after)) = (self.parse(history)?, self.parse(live)?);
        let joined = connector.behind(files.scheme(), &mut before, &mut after);
        joined.map_err(|error| error.at(format!("`{history},{live}`")))?.ok_or_else(|| {
            let error = Error::usage(format!(
                "`{history},{live}`: where the one ends and the other begins is known of Parquet files and the followed log \
                 that they were archived from, and not of these two; say the seam"
            ));
            error.with_remedy(Remedy::Seam)
        })
    }

    /// The options in two bindings of one source that override what the graph says of it. They apply to the source as a
    /// whole, whichever side gives them.
    ///
    /// # Errors
    /// As for [`Registry::source`]; an option to which the sides give different values.
    pub fn hybrid_options(&self, history: &str, live: &str) -> Result<SourceOptions> {
        let ((_, mut before), (_, mut both)) = (self.parse(history)?, self.parse(live)?);
        // Read by itself first, so that a wrong value is reported with its own binding; what is left is for the
        // connector.
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
}
