//! Killed at every step: before and after each of a commit, and of a recovery; the whole job, or one of its processes.

use dualgauge::failpoint::Point;

use crate::supervisor::{Ended, Run};
use crate::{Golden, WAYS, each, from_environment, points};

/// Every point, by one process in each way, and by several in one way after the other; in all with `DUALGAUGE_WAYS=4`.
fn cases(steps: &[Point]) -> Vec<(usize, String)> {
    let (alone, ways) = (WAYS.iter().filter(|way| way.team.processes == 1).count(), WAYS.len());
    let of_several = from_environment("DUALGAUGE_WAYS", 1) as usize;
    let ways_of = |number: usize| {
        (0..alone).chain((0..of_several).map(move |way| alone + (number + number / 4 + way) % (ways - alone)))
    };
    let of_point = |(number, point): (usize, String)| ways_of(number).map(move |way| (way, point.clone()));
    points(steps).into_iter().enumerate().flat_map(of_point).collect()
}

/// One process has ended where the plan said, and all others have because of it.
fn check_killed(ended: &Ended, process: usize, what: &str) {
    assert!(ended.reached(), "{what} is not reached: {}", ended.said());
    for (other, (status, error)) in ended.statuses.iter().zip(&ended.errors).enumerate() {
        assert!(!status.success(), "{what}: process {other} has ended well");
        let named = error.contains(&format!("process {process} at 127.0.0.1:")) && error.contains("was lost");
        assert!(other == process || named, "{what}: process {other} does not say why: {error}");
    }
}

pub fn of_a_commit(golden: &Golden) -> String {
    let count = each(cases(&Point::COMMIT), |number, (way, point)| {
        let run = Run::new(&golden.ground, &format!("commit-{number}"), WAYS[way]);
        let (process, passage) = golden.passage(way, &point, number);
        let plan = format!("{point}:{passage}");
        let what = format!("{:?}, process {process} killed at {plan}", WAYS[way]);
        check_killed(&run.start(process, &plan).wait(), process, &what);
        run.finish(WAYS[way].team);
        golden.check(&run, &what);
    });
    format!("{count} kills")
}

pub fn of_its_recovery(golden: &Golden) -> String {
    let count = each(cases(&Point::RECOVERY), |number, (way, point)| {
        let run = Run::new(&golden.ground, &format!("recovery-{number}"), WAYS[way]);
        // A recovery that finds something published, or something that still is to be.
        let first = if number % 2 == 0 && WAYS[way].team.processes == 1 { "after-publish" } else { "after-append" };
        let (process, passage) = golden.passage(way, first, number);
        let plan = format!("{first}:{passage}");
        assert!(!run.start(process, &plan).wait().is_well());
        // There is one fence in a start, of the first process. Of the others one process alone has several. In which
        // processes sinks recover is the same in every start.
        let (is_fence, processes) = (point.ends_with("fence"), WAYS[way].team.processes);
        let recovers = |&process: &usize| match point.as_str() {
            "before-fence" | "after-fence" => process == 0,
            "before-recover" | "after-recover" => golden.passages[way][process].contains_key(&point),
            _ => true,
        };
        let recovering: Vec<_> = (0..processes).filter(recovers).collect();
        let process = recovering[number as usize % recovering.len()];
        let again = format!("{point}:{}", if is_fence || processes > 1 { 1 } else { 2 });
        let ended = run.start(process, &again).wait();
        let what = format!("{:?} killed at {plan}, and process {process} at {again}", WAYS[way]);
        check_killed(&ended, process, &what);
        assert!(ended.while_recovering() || ended.statuses.len() > 1, "{what}: not during recovery");
        run.finish(WAYS[way].team);
        golden.check(&run, &what);
    });
    format!("{} kills, {count} of them during recovery", 2 * count)
}
