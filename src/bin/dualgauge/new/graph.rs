//! How often each page is visited, in windows of ten seconds.

use dualgauge::prelude::*;

/// A row of the input.
#[record]
struct Visit {
    page: String,
    #[event_time]
    time: EventTime,
}

/// A row of the output.
#[record]
struct Count {
    page: String,
    #[event_time]
    time: EventTime,
    visits: u64,
}

/// From `visits` to `counts`: the command line says what these names are bound to.
fn counts(flow: &Flow) {
    flow.source::<Visit>("visits")
        .key_by(|visit| visit.page.clone())
        .window(tumbling(10.seconds()))
        .aggregate_of("visits_per_page", |of| of.count())
        .rows(|page, window, visits| Count { page, time: window.last_instant(), visits })
        .sink("counts");
}

fn main() -> std::process::ExitCode {
    dualgauge::main(counts)
}

#[cfg(test)]
mod tests {
    use dualgauge::testing::JobCheck;

    use super::*;

    #[test]
    fn visits_are_counted_by_page_and_ten_seconds() {
        let visit =
            |page: &str, second: i64| Visit { page: page.into(), time: EventTime::default() + second.seconds() };
        let visits = vec![visit("/", 1), visit("/about", 4), visit("/", 9), visit("/", 12)];
        // On any number of workers, in batches of any size, and through crashes.
        let checked = JobCheck::new(counts).source("visits", visits).run();
        let rows: Vec<_> = checked.rows::<Count>("counts").into_iter().map(|row| (row.page, row.visits)).collect();
        assert_eq!(rows, [("/".to_string(), 2), ("/about".to_string(), 1), ("/".to_string(), 1)]);
    }
}
