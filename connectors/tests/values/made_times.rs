//! Event times that are made of fields: late and bad are judged as ever.

use dualgauge_connectors::memory;
use dualgauge_engine::flow::{BadRecord, BadRecords, NodeSpec, source};
use dualgauge_engine::{Durations, Event, EventTime, Flow, Job, record};

use super::*;

#[record]
struct Reading {
    day: String,
    second: i64,
}

fn time_of(reading: &Reading) -> std::result::Result<EventTime, String> {
    let day = reading.day.parse::<EventTime>().map_err(|error| error.to_string())?;
    if reading.second < 0 {
        Err(format!("second {} of no day", reading.second))
    } else {
        Ok(day + reading.second.seconds())
    }
}

const CSV: &str = "day,second\n2024-01-01,5\n2024-01-01,-1\nsoon,7\n2024-01-02,0\n2024-01-01,4\n";

/// What is written of the rows of a CSV, sorted by their times; the bad records; how many were counted.
fn copied(policy: BadRecords, text: &str) -> Result<(String, Vec<BadRecord>, u64)> {
    let (dir, _) = csv_of(text);
    let (input, output, bad) = (dir.path().join("a.csv"), dir.path().join("out.jsonl"), memory::collect::<BadRecord>());
    let quarantined = policy == BadRecords::Quarantine;
    let job = Job::new(move |flow: &Flow<'_>| {
        let options = match quarantined {
            true => source("readings").quarantine("bad"),
            false => source("readings").on_bad_records(policy),
        };
        flow.source::<Reading>(options.event_time_by(time_of)).sink("out");
    });
    let job = job.source("readings", csv::read(input)).sink("out", json::write(&output));
    let job = if quarantined { job.sink("bad", bad.clone()) } else { job };
    let running = job.start()?;
    let metrics = running.metrics();
    running.join()?;
    Ok((fs::read_to_string(output).unwrap(), bad.rows(), metrics.source("readings").bad))
}

#[test]
fn rows_stand_at_the_times_that_are_made_and_those_without_one_are_bad() {
    let expected = "{\"day\":\"2024-01-01\",\"second\":4}\n{\"day\":\"2024-01-01\",\"second\":5}\n\
                    {\"day\":\"2024-01-02\",\"second\":0}\n";
    let (rows, _, counted) = copied(BadRecords::Drop, CSV).unwrap();
    assert_eq!((rows.as_str(), counted), (expected, 2));
    let (rows, bad, counted) = copied(BadRecords::Quarantine, CSV).unwrap();
    assert_eq!((rows.as_str(), counted), (expected, 2));
    let said: Vec<_> =
        bad.iter().map(|bad| (bad.reason.as_str(), String::from_utf8_lossy(&bad.bytes).into_owned())).collect();
    assert!(said[0].0.contains("row 1 has no event time: second -1 of no day"), "{said:?}");
    assert_eq!(said[0].1, r#"{"day":"2024-01-01","second":-1}"#);
    assert!(said[1].0.contains("row 2 has no event time: `soon` is not a time"), "{said:?}");
    // The bad stand at the latest time before them.
    assert_eq!(bad[0].time, "2024-01-01T00:00:05Z".parse().unwrap());
    let error = copied(BadRecords::Fail, CSV).unwrap_err().to_string();
    assert!(error.contains("row 1 has no event time: second -1 of no day"), "{error}");
}

#[test]
fn a_time_that_is_made_goes_before_the_field_that_is_one_and_before_what_a_source_knows_of_it() {
    #[record]
    struct Both {
        #[event_time]
        time: EventTime,
        delay: i64,
    }
    let at = |seconds: i64| EventTime::default() + seconds.seconds();
    let row = |seconds, delay| Both { time: at(seconds), delay };
    #[record]
    struct Delay {
        delay: i64,
    }
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.jsonl");
    let job = Job::new(|flow: &Flow<'_>| {
        let made = |row: &Both| Some(row.time - row.delay.seconds());
        let rows = flow.source::<Both>("rows").event_time_by(made);
        // A row that says the other time would be refused.
        let delays = rows.transform(NodeSpec::stateless("map"), |batch| {
            batch.transform(|event: Event<Both>, out: &mut Vec<Event<Delay>>| {
                out.push(Event::new(event.time, Delay { delay: event.data.delay }));
            })
        });
        delays.sink("out");
    });
    let rows = vec![row(1, 0), row(2, 0), row(3, 100), row(4, 2)];
    job.source("rows", memory::rows(rows)).sink("out", json::write(&output)).run().unwrap();
    let written = fs::read_to_string(output).unwrap();
    let delays: Vec<_> = written.lines().map(|line| line.rsplit(':').next().unwrap().trim_end_matches('}')).collect();
    assert_eq!(delays, ["100", "0", "0", "2"]);
}
