//! What a program has bound to the names of a graph, compared with what the graph declares.

use std::sync::Arc;

use crate::flow::{
    BadRecords, BoundSink, BoundSource, BoundTable, SinkDeclaration, SourceDeclaration, SourceOptions, TableDeclaration,
};
use crate::{Error, EventTime, Firings, Result, Scan, Sink, Source};

/// The bindings of a job, by name.
#[derive(Clone, Default)]
pub(super) struct Bindings {
    pub(super) sources: Vec<(String, Arc<dyn Source>, SourceOptions)>,
    pub(super) sinks: Vec<(String, Arc<dyn Sink>)>,
    pub(super) from: Option<EventTime>,
    pub(super) to: Option<EventTime>,
    pub(super) until: Option<EventTime>,
}

impl Bindings {
    /// Names of sources and tables that are not bound, and bound ones that are not in the graph, all at once.
    pub(super) fn check_sources(&self, declared: &[SourceDeclaration], tables: &[TableDeclaration]) -> Result<()> {
        let tables = tables.iter().map(|table| table.name.as_str());
        let declared: Vec<_> = declared.iter().map(|source| source.options.name()).chain(tables).collect();
        let bound: Vec<_> = self.sources.iter().map(|(name, ..)| name.as_str()).collect();
        check_names("source", &declared, &bound)
    }

    /// The same for sinks.
    pub(super) fn check_sinks(&self, declared: &[SinkDeclaration]) -> Result<()> {
        let declared: Vec<_> = declared.iter().map(|sink| sink.name.as_str()).collect();
        let bound: Vec<_> = self.sinks.iter().map(|(name, _)| name.as_str()).collect();
        check_names("sink", &declared, &bound)
    }

    /// Lists the partitions of the source that is bound to what the graph declares.
    pub(super) fn bind_source(&self, declared: &SourceDeclaration, batch_rows: usize) -> Result<BoundSource> {
        let name = declared.options.name();
        let (_, source, overrides) = self.sources.iter().find(|bound| bound.0 == name).expect("names were checked");
        let scan = Scan {
            schema: Arc::clone(&declared.schema),
            event_time: declared.event_time.expect("a source without one was refused").to_string(),
            from: self.from,
            to: self.to,
            batch_rows,
        };
        let options = SourceOptions { name: name.to_string(), ..overrides.clone() }.or(declared.options.clone());
        check_quarantine(&options, &declared.options)?;
        let listing = source.partitions(&scan).map_err(|error| error.at(format_args!("source {name}")))?;
        Ok(BoundSource { source: Arc::clone(source), options, scan, until: self.until, listing: Arc::new(listing) })
    }

    /// Lists the partitions of the source that is bound to a table.
    pub(super) fn bind_table(&self, declared: &TableDeclaration, batch_rows: usize) -> Result<BoundTable> {
        let name = &declared.name;
        let (_, source, options) = self.sources.iter().find(|bound| bound.0 == *name).expect("names were checked");
        let place = || format!("table {name} ({})", source.describe());
        // A table has no time, whatever its record has: so none of it is left out by time.
        let (schema, event_time) = (Arc::clone(&declared.schema), String::new());
        let scan = Scan { schema, event_time, from: None, to: None, batch_rows };
        if SourceOptions::default() != (SourceOptions { name: String::new(), ..options.clone() }) {
            return Err(Error::usage(
                "it takes none of disorder, idle_after, all_idle, max_ahead, bad and new_files: they say how events are read, and a table has none",
            )
            .at(place()));
        }
        let listing = source.partitions(&scan).map_err(|error| error.at(place()))?;
        if !source.bounded() || listing.partitions.iter().any(|partition| partition.followed) {
            return Err(Error::usage(
                "it is followed as it grows, and a table is read to its end before the run starts; bind files, or what \
                 does not follow (`follow=false`)",
            )
            .at(place()));
        }
        Ok(BoundTable { source: Arc::clone(source), scan, listing })
    }

    /// Whether a source may go on for ever: it is followed, and no end is set.
    pub(super) fn may_never_end(&self) -> bool {
        let ends = self.to.is_some() || self.until.is_some();
        !ends && self.sources.iter().any(|(_, source, _)| !source.bounded())
    }

    /// Gives each sink the columns with which it is to be written.
    pub(super) fn widen(&self, sinks: &mut [SinkDeclaration]) -> Result<()> {
        for SinkDeclaration { name, schema, .. } in sinks {
            let sink = self.bind_sink(name).sink;
            if sink.keeps_rows() && sink.firings() == Firings::All {
                return Err(Error::usage(format!(
                    "sink {name}: rows that are kept until they are committed are of the last firing; leave out `firings=all`"
                )));
            }
            let columns = sink.firings().columns(schema);
            *schema = columns.map_err(|error| error.at(format_args!("sink {name}")))?;
        }
        Ok(())
    }

    /// The sink that is bound to a name of the graph.
    pub(super) fn bind_sink(&self, name: &str) -> BoundSink {
        let (_, sink) = self.sinks.iter().find(|bound| bound.0 == name).expect("names were checked");
        BoundSink { sink: Arc::clone(sink) }
    }
}

/// Where bad records go is a sink of the graph: a binding can say that they go there, but not where that is.
fn check_quarantine(options: &SourceOptions, declared: &SourceOptions) -> Result<()> {
    let name = &options.name;
    if options.bad_records == Some(BadRecords::Quarantine) && declared.quarantine.is_none() {
        return Err(Error::usage(format!(
            "source {name}: bad records are to go to quarantine, and the graph names no sink for them; say \
             `.quarantine(\"bad_{name}\")` right behind `flow.source(\"{name}\")`, or choose `fail` or `drop`"
        )));
    }
    match (&options.quarantine, &declared.quarantine) {
        (Some(bound), Some(sink)) if bound != sink => Err(Error::usage(format!(
            "source {name}: its binding sends bad records to {bound}, and the graph to {sink}; only the graph names sinks"
        ))),
        _ => Ok(()),
    }
}

fn check_names(what: &str, declared: &[&str], bound: &[&str]) -> Result<()> {
    let list = |names: &[&str]| match names {
        [] => "none".to_string(),
        names => names.join(", "),
    };
    let unknown: Vec<_> = bound.iter().copied().filter(|name| !declared.contains(name)).collect();
    let unbound: Vec<_> = declared.iter().copied().filter(|name| !bound.contains(name)).collect();
    let twice = bound.iter().enumerate().find(|(at, name)| bound[..*at].contains(name));
    let expected = format!("the graph has the {what}s: {}", list(declared));
    if !unknown.is_empty() {
        return Err(Error::usage(format!("unknown {what} {}; {expected}", list(&unknown))));
    }
    if let Some((_, name)) = twice {
        return Err(Error::usage(format!("{what} {name} is bound twice; {expected}")));
    }
    if !unbound.is_empty() {
        return Err(Error::usage(format!("nothing is bound to {what} {}; {expected}", list(&unbound))));
    }
    Ok(())
}
