//! What a run would read, without reading it.

use crate::flow::Graph;
use crate::{Duration, EventTime, Listing, Partition};

/// What a run would read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sources, in the order of the graph.
    pub sources: Vec<SourcePlan>,
    /// The tables, which are read whole before the first event, in the order of the graph.
    pub tables: Vec<TablePlan>,
    /// The operators.
    pub graph: Graph,
}

/// What a run would read from one source.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// Its name in the graph.
    pub name: String,
    /// What stands behind it.
    pub binding: String,
    /// What its partitions are: `files`.
    pub noun: &'static str,
    /// How far events may be behind the latest one before them, where the graph or the binding says so.
    pub disorder: Option<Duration>,
    /// Its partitions, read and pruned, and any remarks about them.
    pub listing: Listing,
}

/// A table that a run would read.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// Its name in the graph.
    pub name: String,
    /// What stands behind it.
    pub binding: String,
    /// What its partitions are: `files`.
    pub noun: &'static str,
    /// Its partitions, and any remarks about them.
    pub listing: Listing,
}

/// How many windows a step would hold open at once, at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWindows {
    /// The step's durable name.
    pub step: String,
    /// Its windows, as the listing shows them.
    pub detail: String,
    /// How many; `None` where a source upstream gives no event times, so that no window closes before its end.
    pub at_most: Option<u64>,
}

impl Plan {
    /// An estimate of the windows that each step with windows of a fixed size holds open at once.
    ///
    /// It follows from the event times that the partitions read at the same time cover, and is an upper bound: a source
    /// whose files say more about their contents (a page index) closes windows earlier.
    pub fn open_windows(&self) -> Vec<OpenWindows> {
        let nodes = self.graph.nodes();
        // The longest span of event time that reaches each operator at once, from its sources down.
        let mut spans: Vec<Option<Duration>> = Vec::new();
        for node in nodes {
            let above = node.inputs.iter().map(|input| spans[input.0]);
            let span =
                match self.sources.iter().find(|source| node.spec.kind == "source" && source.name == node.spec.label())
                {
                    Some(source) => source.span_at_once(),
                    None => above.reduce(|a, b| Some(a?.max(b?))).unwrap_or_default(),
                };
            spans.push(span);
        }
        let open = |(node, span): (&crate::flow::Node, &Option<Duration>)| {
            let windows = node.spec.windows?;
            Some(OpenWindows {
                step: node.spec.label().to_string(),
                detail: node.spec.detail.clone(),
                // A window that is all of time is a single one, whatever the sources say.
                at_most: if windows.held == Duration::MAX { Some(1) } else { span.map(|span| windows.open_over(span)) },
            })
        };
        nodes.iter().zip(&spans).filter_map(open).collect()
    }
}

impl SourcePlan {
    /// The partitions that end by themselves.
    fn bounded(&self) -> impl Iterator<Item = &Partition> {
        self.listing.partitions.iter().filter(|partition| !partition.followed)
    }

    /// The partitions that are followed as they grow.
    pub fn live(&self) -> impl Iterator<Item = &Partition> {
        self.listing.partitions.iter().filter(|partition| partition.followed)
    }

    /// The most bounded partitions whose event times overlap at one instant: how many are open at once.
    ///
    /// All of them, where a partition does not know its event times.
    pub fn open_at_once(&self) -> usize {
        let spans: Option<Vec<_>> =
            self.bounded().map(|partition| Some((partition.bound?, partition.upper?))).collect();
        let Some(spans) = spans else { return self.bounded().count() };
        // An end at an instant frees its place before a start at the same instant takes one.
        let mut edges: Vec<_> = spans.into_iter().flat_map(|(start, end)| [(start, 1), (end, -1)]).collect();
        edges.sort_unstable_by_key(|&(time, change)| (time, change));
        let (mut open, mut most) = (0_i64, 0_i64);
        for (_, change) in edges {
            open += change;
            most = most.max(open);
        }
        most.max(i64::from(self.bounded().next().is_some())) as usize
    }

    /// The longest span of event time that is read at once: what the partitions open at one instant cover together, and
    /// no less than the disorder. `None` where a bounded partition does not know its event times and no disorder is set.
    pub fn span_at_once(&self) -> Option<Duration> {
        let disorder = self.disorder.unwrap_or_default();
        let mut spans = Vec::new();
        for partition in self.bounded() {
            match (partition.bound, partition.upper) {
                (Some(bound), Some(upper)) => spans.push((bound, upper)),
                _ if self.disorder.is_some() => {}
                _ => return None,
            }
        }
        spans.sort_unstable();
        let (mut longest, mut open): (Duration, Vec<(EventTime, EventTime)>) = (disorder, Vec::new());
        for (bound, upper) in spans {
            // What ended before this one starts is closed by then.
            open.retain(|&(_, end)| end > bound);
            open.push((bound, upper));
            let first = open.iter().map(|span| span.0).min().unwrap_or(bound);
            let last = open.iter().map(|span| span.1).max().unwrap_or(upper);
            longest = longest.max(last - first);
        }
        Some(longest)
    }

    /// The first and the last event time of the history, where the source knows them.
    pub fn history(&self) -> Option<(EventTime, EventTime)> {
        Some((
            self.bounded().filter_map(|partition| partition.bound).min()?,
            self.bounded().filter_map(|partition| partition.upper).max()?,
        ))
    }

    /// The sum of what is known of the partitions to read: rows and bytes.
    pub fn size(&self) -> (u64, u64) {
        let partitions = &self.listing.partitions;
        (partitions.iter().filter_map(|p| p.rows).sum(), partitions.iter().filter_map(|p| p.bytes).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::NodeSpec;
    use crate::{Durations, EventTime};

    fn source(spans: &[(i64, i64)]) -> SourcePlan {
        let at = |seconds: i64| EventTime::default() + seconds.seconds();
        let partition = |&(bound, upper): &(i64, i64)| Partition {
            bound: Some(at(bound)),
            upper: Some(at(upper)),
            ..Partition::new(format!("{bound}"))
        };
        let listing = Listing { partitions: spans.iter().map(partition).collect(), ..Listing::default() };
        SourcePlan { name: "bids".into(), binding: "parquet:x".into(), noun: "row groups", disorder: None, listing }
    }

    fn plan(source: SourcePlan, held: Duration, slide: Duration) -> Plan {
        let mut graph = Graph::default();
        let input = graph.add(NodeSpec { name: Some("bids".into()), ..NodeSpec::stateless("source") }, vec![]);
        graph.add(NodeSpec::stateful("aggregate", "step").windows(held, slide), vec![input]);
        Plan { sources: vec![source], tables: Vec::new(), graph }
    }

    #[test]
    fn partitions_that_touch_are_not_open_at_once() {
        assert_eq!(source(&[(0, 10), (10, 20), (20, 30)]).open_at_once(), 1);
        assert_eq!(source(&[(0, 12), (10, 22), (20, 30)]).open_at_once(), 2);
        assert_eq!(source(&[(0, 12), (10, 22), (20, 30)]).span_at_once(), Some(22.seconds()));
        assert_eq!(source(&[]).open_at_once(), 0);
    }

    #[test]
    fn the_windows_open_at_once_are_those_that_the_open_partitions_touch() {
        let open =
            |spans: &[_], held: Duration, slide: Duration| plan(source(spans), held, slide).open_windows()[0].at_most;
        assert_eq!(open(&[(0, 10), (10, 20)], 10.seconds(), 10.seconds()), Some(2));
        assert_eq!(open(&[(0, 95), (100, 120)], 10.seconds(), 10.seconds()), Some(11));
        assert_eq!(open(&[(0, 60)], 60.seconds(), 10.seconds()), Some(12));
        assert_eq!(open(&[(0, 60)], Duration::MAX, Duration::MAX), Some(1));
    }

    #[test]
    fn a_file_that_does_not_know_its_times_closes_no_window_unless_its_disorder_is_bounded() {
        let mut csv = source(&[]);
        csv.listing.partitions.push(Partition::new("bids.csv"));
        assert_eq!(plan(csv.clone(), 10.seconds(), 10.seconds()).open_windows()[0].at_most, None);
        csv.disorder = Some(5.seconds());
        assert_eq!(plan(csv, 10.seconds(), 10.seconds()).open_windows()[0].at_most, Some(2));
    }
}
