//! The options of a source: where they may be said, and how often.
//!
//! What this would catch: an option that is taken on a stream that no source gives, and does nothing there.

use dualgauge_engine::flow::{AllIdle, BadRecords, NewFiles, NodeSpec};
use dualgauge_engine::testing::Item;
use dualgauge_engine::{Durations, Job, Stream};

#[test]
fn an_option_of_a_source_belongs_right_behind_it_and_is_said_once() {
    type Wrong = for<'s> fn(Stream<'s, Item>) -> Stream<'s, Item>;
    let copied: Wrong = |items| items.transform(NodeSpec::stateless("copy"), |batch| batch);
    let cases: &[(&str, Wrong)] = &[
        ("`disorder`", |items| items.disorder(1.seconds())),
        ("`idle_after`", |items| items.idle_after(1.seconds())),
        ("`max_ahead`", |items| items.max_ahead(1.seconds())),
        ("`on_bad_records`", |items| items.on_bad_records(BadRecords::Drop)),
        ("`new_files`", |items| items.new_files(NewFiles::Fail)),
        ("`all_idle`", |items| items.all_idle(AllIdle::Greatest)),
        ("`quarantine`", |items| items.quarantine("bad")),
        ("`event_time_by`", |items| items.event_time_by(|item| item.time)),
    ];
    for &(option, wrong) in cases {
        let job = Job::new(move |flow| wrong(copied(flow.source("items"))).sink("out"));
        let error = job.graph().unwrap_err().to_string();
        assert!(error.starts_with(option) && error.contains("is an option of a source"), "{error}");
        assert!(error.contains("engine/tests/reading/options.rs"), "{error}");
        assert!(Job::new(move |flow| wrong(flow.source("items")).sink("out")).graph().is_ok(), "{option}");
    }
    let twice: [(&str, Wrong); 2] = [
        ("`quarantine`", |items| items.quarantine("bad").quarantine("worse")),
        ("`event_time_by`", |items| items.event_time_by(|item| item.time).event_time_by(|item| item.time)),
    ];
    for (option, wrong) in twice {
        let error = Job::new(move |flow| wrong(flow.source("items")).sink("out")).graph().unwrap_err().to_string();
        assert!(error.starts_with(option) && error.contains("is said twice"), "{error}");
    }
}
