//! Several graphs in one program: the first word picks one.
//!
//! Would catch: a name that runs another graph, a help that does not list them, a wrong name without the right one beside it,
//! and a graph that goes on from the checkpoint of another.

use dualgauge::Flow;
use dualgauge::cli::{Console, Exit, Interrupt, Named, run_of_from};

use crate::support::{Answer, Bid, Data, hot_items};

fn copies(flow: &Flow<'_>) {
    flow.source::<Bid>("bids").sink("copies");
}

fn hot(flow: &Flow<'_>) {
    hot_items(flow);
}

const GRAPHS: &[Named] = &[("copies", copies), ("hot-items", hot)];

fn call_of(graphs: &[Named], words: &[&str]) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let console = Console { out: &mut out, err: &mut err, terminal: false, interrupt: Interrupt::default() };
    let exit = run_of_from(graphs, [&["shop"], words].concat(), console);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { exit, out: text(out), err: text(err) }
}

fn call(words: &[&str]) -> Answer {
    call_of(GRAPHS, words)
}

#[test]
fn the_first_word_picks_the_graph() {
    let data = Data::of_seconds(30);
    let bids = data.bind("bids", "csv", "bids.csv");
    for (name, sink, part) in [("copies", "copies", "auction,price"), ("hot-items", "hot_items", "time,bids")] {
        let out = data.bind(sink, "csv", &format!("{name}.csv"));
        let ran = call(&[name, "run", "-q", "--source", &bids, "--sink", &out]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""), "{name}");
        let written = std::fs::read_to_string(data.path(&format!("{name}.csv"))).unwrap();
        assert!(written.lines().next().unwrap().contains(part), "{name}: {written}");
        let shown = call(&[name, "graph"]);
        assert!(shown.out.contains(&format!("sink {sink}")), "{name}: {}", shown.out);
        let plan = call(&[name, "plan", "--source", &bids]);
        assert_eq!(plan.exit, Exit::Done, "{name}: {}", plan.err);
    }
}

#[test]
fn help_lists_the_graphs_and_a_wrong_name_is_told_the_right_one() {
    for words in [&["--help"][..], &["-h"]] {
        let help = call(words);
        assert_eq!(help.exit, Exit::Done);
        assert!(help.out.contains("copies") && help.out.contains("hot-items"), "{}", help.out);
    }
    let help = call(&["copies", "run", "--help"]);
    assert!(help.out.contains("copies run") && help.out.contains("--source"), "{}", help.out);
    let wrong: [(&[&str], &[&str]); 5] = [
        (&[], &["Usage", "copies", "hot-items"]),
        (&["hot-item", "run"], &["'hot-item'", "'hot-items'"]),
        (&["run", "--source", "bids=csv:a"], &["say which graph: `copies run …`", "copies, hot-items"]),
        (&["copies"], &["run", "plan", "graph"]),
        (&["copies", "rum"], &["'rum'", "'run'"]),
    ];
    for (words, parts) in wrong {
        let told = call(words);
        assert_eq!(told.exit, Exit::Usage, "{words:?}: {}", told.err);
        for part in parts {
            assert!(told.err.contains(part), "{words:?}: `{part}` is not in {}", told.err);
        }
    }
    for (graphs, part) in [
        (&[][..], "has no graph"),
        (&[("a", copies as fn(&Flow<'_>)), ("a", hot)], "two graphs of this program are called a"),
        (&[("-a", copies)], "`-a` is no name"),
        (&[("a b", copies)], "`a b` is no name"),
    ] {
        let told = call_of(graphs, &["a", "run"]);
        assert!(told.exit == Exit::Usage && told.err.contains(part), "`{part}` is not in {}", told.err);
    }
}

#[test]
fn a_verb_may_be_the_name_of_a_graph() {
    let graphs: &[Named] = &[("run", copies), ("graph", hot)];
    assert!(call_of(graphs, &["run", "graph"]).out.contains("sink copies"));
    assert!(call_of(graphs, &["graph", "graph"]).out.contains("sink hot_items"));
}

#[test]
fn the_checkpoint_of_another_graph_is_refused_by_name() {
    let data = Data::of_seconds(30);
    let (bids, place) = (data.bind("bids", "csv", "bids.csv"), data.path("checkpoints").display().to_string());
    let run = |name: &str, sink: &str| {
        let out = data.bind(sink, "csv", &format!("{name}.csv"));
        call(&[name, "run", "-q", "--source", &bids, "--sink", &out, "--checkpoint", &place])
    };
    assert_eq!(run("hot-items", "hot_items").exit, Exit::Done);
    let other = run("copies", "copies");
    assert_eq!(other.exit, Exit::Usage, "{}", other.err);
    assert!(other.err.contains("bids_per_auction") && other.err.contains("not in the graph"), "{}", other.err);
    assert!(!data.path("copies.csv").exists());
}
