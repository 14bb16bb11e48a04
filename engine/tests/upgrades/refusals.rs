//! What is refused, and that nothing is lost by it; and what is dropped.

use arrow_schema::SchemaRef;
use dualgauge_engine::flow::NodeSpec;
use dualgauge_engine::fs::FaultFs;
use dualgauge_engine::state::Tables;
use dualgauge_engine::testing::{Item, Lines, Script};
use dualgauge_engine::{ErrorKind, Flow, Job, Result, Sink, SinkWriter, Writing};

use crate::programs::{Sums, copy, first, group, keep_and_write, second, write};
use crate::{ALL, begun, checkpoints, first_part, limits, script, stop, undisturbed};

#[test]
fn a_type_that_changed_without_an_up_cast_is_refused_and_nothing_of_it_is_touched() {
    let (out, fs, epoch) = first_part(2);
    // What the second version does, and all that it says is that words have changed.
    let silent = |flow: &Flow<'_>| {
        flow.upcast::<second::WordV1, second::Word>();
        keep_and_write::<second::Program>(flow);
    };
    let job = out.bind(Job::new(silent).source("items", script(0, ALL, true)));
    let error = job.checkpoints(checkpoints(&fs)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = error.to_string();
    for part in [
        "the step `sums` keeps another type of state",
        &format!("its checkpoint of epoch {epoch} holds (windows)"),
        "nothing says how `struct Sum { total: i32 }` becomes `struct Sum { total: i64, largest: Option<i64> }`",
        "`flow.upcast::<Old, New>()` does",
        "the graph has the up-casts of WordV1 to Word from `struct WordV1(String, i32)`",
        "give the step another name to start it empty",
        "`Checkpoints::drop_state(\"sums\")`",
    ] {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    // The program that knows its state goes on as if nothing had been.
    out.job(1, script(0, ALL, true)).checkpoints(checkpoints(&fs)).limits(limits()).run().unwrap();
    assert_eq!(out.text(), undisturbed(0));
}

#[test]
fn an_up_cast_that_panics_ends_the_start_by_name_and_takes_nothing_away() {
    #[derive(serde::Deserialize)]
    struct SumV1 {
        total: i32,
    }
    impl From<SumV1> for second::Sum {
        fn from(old: SumV1) -> second::Sum {
            panic!("{} is not to its liking", old.total)
        }
    }
    let (out, fs, _) = first_part(1);
    let careless = |flow: &Flow<'_>| {
        flow.upcast::<SumV1, second::Sum>();
        flow.upcast::<second::WordV1, second::Word>();
        flow.upcast::<second::RowV1, second::Row>();
        keep_and_write::<second::Program>(flow);
    };
    let job = out.bind(Job::new(careless).source("items", script(0, ALL, true)));
    let error = job.checkpoints(checkpoints(&fs)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    let error = error.to_string();
    for part in ["step sums: part windows: an up-cast", "is not to its liking"] {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    out.job(2, script(0, ALL, true)).limits(limits()).checkpoints(checkpoints(&fs)).run().unwrap();
    assert_eq!(out.text(), undisturbed(0));
}

#[test]
fn a_sink_that_could_not_hold_both_is_not_given_rows_of_another_type() {
    /// As files are that have one set of columns.
    struct Strict(Lines);
    impl Sink for Strict {
        fn describe(&self) -> String {
            "strict:out".to_string()
        }
        fn check(&self, schema: &SchemaRef, writing: &Writing) -> Result<()> {
            self.0.check(schema, writing)
        }
        fn open(&self, bucket: usize, schema: &SchemaRef, writing: &Writing) -> Result<Box<dyn SinkWriter>> {
            self.0.open(bucket, schema, writing)
        }
    }
    let copies = Lines::default();
    let job = |program: fn(&Flow<'_>), script: &str| {
        Job::new(program).source("items", Script::from(script)).sink("copies", Strict(copies.clone()))
    };
    fn first(flow: &Flow<'_>) {
        copy::<first::Program>(flow.source("items"));
    }
    fn second(flow: &Flow<'_>) {
        flow.upcast::<second::RowV1, second::Row>();
        copy::<second::Program>(flow.source("items"));
    }
    let fs = FaultFs::new();
    stop(begun(job(first, "a:1@1 b:1@2 ..."), 2, checkpoints(&fs)), &fs);
    let error = job(second, "a:1@1 b:1@2 | a:1@3").checkpoints(checkpoints(&fs)).run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = error.to_string();
    for part in ["sink copies: strict:out may still have to finish output", "to a sink of another name and place"] {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    job(first, "a:1@1 b:1@2 | a:1@3").limits(limits()).checkpoints(checkpoints(&fs)).run().unwrap();
    assert_eq!(copies.text(), ["1 a 1", "2 b 1", "3 a 1"]);
}

#[test]
fn a_step_that_was_dropped_leaves_nothing_for_a_new_one_of_its_name() {
    let (sums, copies, fs) = (Lines::default(), Lines::default(), FaultFs::new());
    let both = |flow: &Flow<'_>| {
        let items = flow.source::<Item>("items");
        let windows = Tables::new();
        let step = items.clone().step(NodeSpec::stateful("sums", "sums"), group, Sums::<first::Sum> { windows });
        write::<first::Program, _>(step, "sums");
        copy::<first::Program>(items);
    };
    let one = |flow: &Flow<'_>| copy::<first::Program>(flow.source("items"));
    let both = |script: &str| Job::new(both).source("items", Script::from(script)).sink("sums", sums.clone());
    let both = |script: &str| both(script).sink("copies", copies.clone());
    let one = |script: &str| Job::new(one).source("items", Script::from(script)).sink("copies", copies.clone());

    stop(begun(both("a:1@1 b:1@2 ..."), 2, checkpoints(&fs)), &fs);
    let error = one("a:1@1 b:1@2 | a:10@3 ...").checkpoints(checkpoints(&fs)).run().unwrap_err().to_string();
    assert!(
        error.contains("the step `sums`, which is not in the graph") && error.contains("drop_state(\"sums\")"),
        "{error}"
    );
    let dropping = checkpoints(&fs).drop_state("sums");
    let error = one("a:1@1 b:1@2 | a:10@3 ...").checkpoints(dropping.clone()).run().unwrap_err().to_string();
    assert!(
        error.contains("the sink `sums`, which is not in") && error.contains("drop_state(\"sink sums\")"),
        "{error}"
    );
    let running = begun(one("a:1@1 b:1@2 | a:10@3 ..."), 1, dropping.drop_state("sink sums"));
    let notes = running.notes().join("\n");
    assert!(notes.contains("step sums: what it kept is forgotten"), "{notes}");
    stop(running, &fs);

    both("a:1@1 b:1@2 | a:10@3 | a:100@4").limits(limits()).checkpoints(checkpoints(&fs)).run().unwrap();
    assert_eq!(sums.text(), ["9.999999 a 100"], "a step that is new starts empty");
}
