//! Several processes on the command line: what a call says about them, and which part this process plays.
//!
//! - `--processes 2 --process 0 --hosts a:4400,b:4400 --cluster-secret FILE` is process 0 of two, wherever they run.
//! - `--processes 2` alone starts both on this machine and watches them (`src/cli/supervise.rs`).

use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::Interrupt;
use crate::cluster::{Cluster, Secret};
use crate::{Duration, Error, Result};

/// What a supervisor tells the processes that it starts, through their environment.
pub(super) const SECRET: &str = "DUALGAUGE_CLUSTER_SECRET";
/// Which start of the cluster this is, counted from 1.
pub(super) const ATTEMPT: &str = "DUALGAUGE_CLUSTER_ATTEMPT";

/// What a supervisor says on the standard input of a process: stop, or take a savepoint.
pub(super) const STOP: &str = "stop";
pub(super) const SAVEPOINT: &str = "savepoint";

/// What a call says about processes.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterSettings {
    pub(super) processes: Option<usize>,
    process: Option<usize>,
    hosts: Option<String>,
    secret: Option<PathBuf>,
    encrypt: bool,
    pub(super) lost_after: Option<Duration>,
}

/// The part of this process.
pub(super) enum Part {
    /// It runs the job.
    Alone,
    /// It is one of several that run the job.
    Member(Cluster),
    /// It starts this many processes that run the job.
    Supervisor(usize),
}

/// The options of `run`.
pub(super) fn args() -> Vec<Arg> {
    let count = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("COUNT").value_parser(value_parser!(usize)).help(help)
    };
    vec![
        count("processes", "Run in several processes; without --process, all are started here and watched"),
        count("process", "Which of them this is, from 0").value_name("INDEX").requires("hosts"),
        Arg::new("hosts")
            .long("hosts")
            .value_name("LIST")
            .requires("process")
            .help("The addresses of all processes, host:port with commas between, or a file with one on each line"),
        Arg::new("cluster-secret")
            .long("cluster-secret")
            .value_name("FILE")
            .requires("process")
            .value_parser(value_parser!(PathBuf))
            .help("The file with the secret by which the processes recognise each other"),
        Arg::new("cluster-encrypt")
            .long("cluster-encrypt")
            .action(ArgAction::SetTrue)
            .help("Encrypt what the processes send each other; to be said to all"),
        Arg::new("lost-after")
            .long("lost-after")
            .value_name("TIME")
            .value_parser(value_parser!(Duration))
            .help("A process that is silent for so long is lost [default: 10s]"),
    ]
}

impl ClusterSettings {
    /// What a call says.
    pub(super) fn called(matches: &ArgMatches) -> ClusterSettings {
        ClusterSettings {
            processes: matches.get_one("processes").copied(),
            process: matches.get_one("process").copied(),
            hosts: matches.get_one("hosts").cloned(),
            secret: matches.get_one("cluster-secret").cloned(),
            encrypt: matches.get_flag("cluster-encrypt"),
            lost_after: matches.get_one("lost-after").copied(),
        }
    }

    /// The part of this process.
    pub(super) fn part(&self) -> Result<Part> {
        let (Some(process), Some(hosts)) = (self.process, &self.hosts) else {
            return match self.processes {
                None | Some(1) => Ok(Part::Alone),
                Some(0) => Err(Error::usage("--processes 0: there is at least one")),
                Some(many) => Ok(Part::Supervisor(many)),
            };
        };
        let hosts = addresses(hosts)?;
        if let Some(processes) = self.processes.filter(|processes| *processes != hosts.len()) {
            let count = hosts.len();
            return Err(Error::usage(format!(
                "--processes {processes} and --hosts with {count} addresses; one is wrong"
            )));
        }
        let secret = match (&self.secret, std::env::var(SECRET)) {
            (Some(file), _) => Secret::from_file(file)?,
            (None, Ok(text)) => Secret::new(text)?,
            (None, Err(_)) => {
                return Err(Error::usage(
                    "processes recognise each other by a secret; write one to a file that nobody else can read, and say \
                     --cluster-secret FILE to all",
                ));
            }
        };
        let cluster = Cluster::new(process, hosts, secret)?.attempt(attempt()).encrypted(self.encrypt);
        let cluster = match self.lost_after {
            None => cluster,
            Some(after) if after.as_micros() < 10 => {
                return Err(Error::usage(format!("--lost-after {after}: no process can be heard so often")));
            }
            Some(after) => cluster.heartbeat(Duration::from_micros(after.as_micros() / 10), after),
        };
        Ok(Part::Member(cluster))
    }
}

/// Which start of the cluster this is, where a supervisor counts them.
pub(super) fn attempt() -> u64 {
    std::env::var(ATTEMPT).ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether a supervisor watches this process.
pub(super) fn is_supervised() -> bool {
    attempt() > 0
}

/// The addresses in a list or, if it is not a list, in the file of this name.
fn addresses(list: &str) -> Result<Vec<String>> {
    let is_address =
        |text: &str| text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let is_list = |text: &str| text.contains(',') || is_address(text);
    let (what, addresses): (_, Vec<String>) = match is_list(list) && !Path::new(list).exists() {
        true => ("--hosts".to_string(), list.split(',').map(|part| part.trim().to_string()).collect()),
        false => {
            let text = std::fs::read_to_string(Path::new(list)).map_err(|cause| {
                let what =
                    format!("--hosts {list}: neither addresses, such as 10.0.0.1:4400,10.0.0.2:4400, nor a file");
                Error::usage(what).caused_by(cause)
            })?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            (format!("the hosts in {list}"), lines.map(str::to_string).collect())
        }
    };
    match addresses.iter().find(|address| !is_address(address)) {
        None => Ok(addresses),
        Some(wrong) => {
            Err(Error::usage(format!("{what}: `{wrong}` is no address; expected host:port, such as 10.0.0.1:4400")))
        }
    }
}

/// Does what a supervisor says on standard input, and ends the process when the supervisor is gone.
pub(super) fn obey(interrupt: Interrupt) -> Result<()> {
    let run = move || {
        for line in std::io::stdin().lock().lines() {
            match line.as_deref() {
                Ok(STOP) => drop(interrupt.raise()),
                Ok(SAVEPOINT) => interrupt.savepoint(),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // Nobody would end this process, or restart it. The reader of standard error may be gone too, and writing must
        // not fail: `eprintln` would panic.
        let _ = writeln!(std::io::stderr(), "error: the supervisor is gone, and this process with it");
        std::process::exit(super::Exit::Failed.code().into());
    };
    let thread = std::thread::Builder::new().name("supervisor".to_string()).spawn(run);
    thread.map(drop).map_err(|cause| Error::io("the thread that hears the supervisor does not start", cause))
}

/// The words of a call with which a supervisor starts one of `hosts`.
pub(super) fn words(call: &[OsString], process: usize, hosts: &[String]) -> Vec<OsString> {
    let more = ["--process".to_string(), process.to_string(), "--hosts".to_string(), hosts.join(",")];
    call.iter().skip(1).cloned().chain(more.into_iter().map(OsString::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_a_list_or_a_file() {
        assert_eq!(addresses("a:1, [::1]:2").unwrap(), ["a:1", "[::1]:2"]);
        let file = std::env::temp_dir().join(format!("dualgauge-hosts-{}", std::process::id()));
        std::fs::write(&file, "a:1\n\n b:2 \n").unwrap();
        let read = addresses(file.to_str().unwrap());
        std::fs::write(&file, "a:1\nb\n").unwrap();
        let wrong = addresses(file.to_str().unwrap());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read.unwrap(), ["a:1", "b:2"]);
        assert!(wrong.unwrap_err().to_string().contains("`b` is no address"));
        assert!(addresses("a:1,b").unwrap_err().to_string().contains("`b` is no address"));
        assert!(addresses("a").unwrap_err().to_string().contains("neither addresses"));
    }
}
