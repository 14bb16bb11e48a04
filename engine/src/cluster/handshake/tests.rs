//! The handshake as bytes: its frozen form, every reason to refuse, and bytes that nobody would send.

use proptest::prelude::*;

use super::*;
use crate::testing::Random;

fn identity(process: u16) -> Identity {
    Identity {
        process,
        processes: 3,
        attempt: 7,
        cluster: "cluster".to_string(),
        secret: Secret::new("0123456789abcdef").unwrap(),
        terms: Terms::new(2, ["0.1.0", "graph", "bindings", "options", "listed"]),
    }
}

const NONCE: [u8; 16] = *b"who connects 16b";
const OTHER_NONCE: [u8; 16] = *b"who listens 16 b";

fn hello_of(identity: &Identity) -> (Vec<u8>, Seal) {
    identity.hello(0, Purpose::Control, NONCE)
}

/// Process 0's answer to a frame, when nobody has joined yet.
fn answer(frame: &[u8]) -> Answer {
    identity(0).answer(&frame[2..], OTHER_NONCE, |_, _| false)
}

/// Why process 0 refuses the hello; whether that is fatal to it.
fn refusal(identity: &Identity) -> (String, bool) {
    let (frame, seal) = hello_of(identity);
    let Answer::Refuse { frame, reason, fatal } = answer(&frame) else { panic!("it is not refused") };
    let Ok(Reply::Refused { reason: told, confirmation, .. }) = identity.read_reply(&frame[2..], &seal) else {
        panic!("it is not told so")
    };
    let fatal = fatal.is_some_and(|expected| {
        assert!(expected.is(&confirmation[2..]), "it can confirm that it was refused");
        true
    });
    assert!(reason.starts_with(&told), "{told} of {reason}");
    (reason, fatal)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn two_processes_come_to_know_each_other_and_share_a_secret() {
    let (frame, seal) = hello_of(&identity(1));
    let Answer::Welcome { hello, frame, expected, session: ours } = answer(&frame) else { panic!("it is not welcome") };
    assert_eq!((hello.from, hello.purpose), (1, Purpose::Control));
    let Ok(Reply::Welcome { confirmation, session }) = identity(1).read_reply(&frame[2..], &seal) else {
        panic!("the welcome is not understood")
    };
    assert!(expected.is(&confirmation[2..]));
    assert!(session.seal(b"x").is(ours.seal(b"x").bytes()), "both have the same secret now");
    assert!(!session.seal(b"x").is(identity(1).secret.seal(b"x").bytes()), "and it is not the old one");
}

#[test]
fn the_messages_are_frozen() {
    let (hello, seal) = hello_of(&identity(1));
    assert_eq!(
        hex(&hello[2..62]),
        concat!(
            "4447434c55535452",                 // magic
            "0200",                             // version
            "0102",                             // hello, control
            "01000000",                         // from 1 to 0
            "03000200",                         // 3 processes of 2 workers
            "0700000000000000",                 // attempt
            "9f59c4acb20fa25bf876b21783c975d9", // the cluster's name
            "77686f20636f6e6e6563747320313662", // nonce
        ),
    );
    assert_eq!((hello.len(), &hello[..2]), (174, &[172, 0][..]));
    let Answer::Welcome { frame: welcome, .. } = answer(&hello) else { panic!("it is not welcome") };
    assert_eq!(hex(&welcome[2..30]), "4447434c5553545202000200".to_string() + &hex(&OTHER_NONCE));
    let Ok(Reply::Welcome { confirmation, .. }) = identity(1).read_reply(&welcome[2..], &seal) else {
        panic!("the welcome is not understood")
    };
    // The last seal covers everything that is sealed, and with what.
    let sealed = "e5ad47762b784b409f49087b4ba90b4427b03722c68d971d96cd5f80a8ecf8e2";
    assert_eq!(hex(&confirmation), "2c00".to_string() + "4447434c55535452" + "02000500" + sealed);
}

#[test]
fn who_does_not_know_the_secret_gets_no_answer() {
    let stranger = Identity { secret: Secret::new("0123456789abcdeF").unwrap(), ..identity(1) };
    assert!(matches!(answer(&hello_of(&stranger).0), Answer::Close));
}

#[test]
fn a_process_that_does_not_belong_here_is_told_why() {
    let elsewhere = refusal(&Identity { cluster: "staging".to_string(), ..identity(1) });
    assert_eq!(elsewhere, ("process 0 is of another cluster, `cluster`".to_string(), false));
    let old = refusal(&Identity { attempt: 6, ..identity(1) });
    assert_eq!(old, ("process 1 is of attempt 6, and process 0 of 7".to_string(), false));
    let more = refusal(&Identity { processes: 4, ..identity(1) });
    assert_eq!(more, ("process 1 is one of 4 processes, and process 0 is one of 3".to_string(), true));
    let (frame, _) = identity(2).hello(1, Purpose::Data, NONCE);
    let Answer::Refuse { reason, fatal: Some(_), .. } = answer(&frame) else { panic!("it is not refused") };
    assert!(reason.contains("process 2 has reached process 0 and wanted process 1"), "{reason}");
    assert!(refusal(&identity(0)).0.contains("the lists of hosts differ"), "nobody below is waited for");
    assert!(refusal(&Identity { process: 3, ..identity(1) }).0.contains("the lists of hosts differ"));
    let terms = Terms { encrypted: true, ..identity(1).terms };
    let (reason, fatal) = refusal(&Identity { terms, ..identity(1) });
    assert!(fatal && reason.starts_with("process 1 encrypts what it sends and process 0 does not"), "{reason}");
    let terms = Terms::new(2, ["0.1.0", "graph", "bindings", "options", "listed otherwise"]);
    let (reason, fatal) = refusal(&Identity { terms, ..identity(1) });
    assert!(fatal && reason.starts_with("the list of what the sources hold is another in process 1"), "{reason}");
}

#[test]
fn a_young_process_may_ask_an_old_one_again_and_an_old_one_is_over() {
    for (attempt, may) in [(8, true), (6, false)] {
        let process = Identity { attempt, ..identity(1) };
        let (frame, seal) = hello_of(&process);
        let Answer::Refuse { frame, .. } = answer(&frame) else { panic!("it is not refused") };
        let Ok(Reply::Refused { again, .. }) = process.read_reply(&frame[2..], &seal) else { panic!("it is told") };
        assert_eq!(again, may, "attempt {attempt}");
    }
}

#[test]
fn the_second_of_two_that_claim_a_number_is_refused() {
    let (frame, _) = hello_of(&identity(1));
    let joined = |process, purpose| (process, purpose) == (1, Purpose::Control);
    let Answer::Refuse { reason, fatal: None, .. } = identity(0).answer(&frame[2..], OTHER_NONCE, joined) else {
        panic!("it is not refused")
    };
    assert!(reason.contains("there is a process 1 already"), "{reason}");
}

#[test]
fn another_version_is_named() {
    let (mut frame, _) = hello_of(&identity(1));
    frame[10] = 9;
    let end = frame.len() - Seal::BYTES;
    let seal = identity(1).secret.seal(&frame[2..end]);
    frame[end..].copy_from_slice(seal.bytes());
    let Answer::Refuse { reason, fatal: Some(_), .. } = answer(&frame) else { panic!("it is not refused") };
    assert!(reason.starts_with("a handshake of version 9, and that of process 0 has version 2"), "{reason}");
}

#[test]
fn what_was_recorded_is_worth_nothing() {
    let (frame, seal) = hello_of(&identity(1));
    let Answer::Welcome { frame: welcome, expected, .. } = answer(&frame) else { panic!("it is not welcome") };
    let Ok(Reply::Welcome { confirmation, .. }) = identity(1).read_reply(&welcome[2..], &seal) else {
        panic!("the welcome is not understood")
    };
    assert!(expected.is(&confirmation[2..]));
    // The same hello meets another nonce: the old confirmation does not fit, and neither does the old welcome to a new hello.
    let Answer::Welcome { expected, .. } = identity(0).answer(&frame[2..], *b"another nonce 16", |_, _| false) else {
        panic!("it is not welcome")
    };
    assert!(!expected.is(&confirmation[2..]));
    let (_, new) = identity(1).hello(0, Purpose::Control, *b"a new nonce 16 b");
    assert!(identity(1).read_reply(&welcome[2..], &new).is_err());
}

/// How many damaged hellos are tried: many more if the environment asks for it.
fn tries() -> u64 {
    std::env::var("DUALGAUGE_FUZZ").ok().and_then(|tries| tries.parse().ok()).unwrap_or(100_000)
}

#[test]
fn damaged_and_invented_hellos_are_closed_without_a_word() {
    let (own, mut random) = (identity(0), Random(20));
    let (frame, _) = hello_of(&identity(1));
    for number in 0..tries() {
        let mut body = frame[2..].to_vec();
        match random.below(4) {
            0 => (0..=random.below(8)).for_each(|_| {
                let at = random.below(body.len() as u64) as usize;
                body[at] ^= 1 << random.below(8);
            }),
            1 => body.truncate(random.below(body.len() as u64) as usize),
            2 => body.extend((0..=random.below(80)).map(|_| random.below(256) as u8)),
            _ => body = (0..random.below(BODY_MAX as u64)).map(|_| random.below(256) as u8).collect(),
        }
        if body == frame[2..] {
            continue; // damaged twice in the same place
        }
        assert!(matches!(own.answer(&body, OTHER_NONCE, |_, _| false), Answer::Close), "try {number}: {}", hex(&body));
    }
}

proptest! {
    /// Sealed correctly but wrong otherwise: what a process of another version, or with a bug, could send.
    #[test]
    fn sealed_nonsense_never_panics(message in proptest::collection::vec(any::<u8>(), 0..200), fitting in any::<bool>()) {
        let own = identity(0);
        let mut body = message;
        if fitting {
            let at = body.len().min(HEAD);
            body[..at].copy_from_slice(&head(HELLO, 1)[..at]);
        }
        let seal = own.secret.seal(&body);
        let sealed = [&body[..], seal.bytes()].concat();
        let welcome = matches!(own.answer(&sealed, OTHER_NONCE, |_, _| false), Answer::Welcome { .. });
        prop_assert!(!welcome);
        let (_, hello) = hello_of(&own);
        let seal = own.secret.seal(&[&hello.bytes()[..], &body].concat());
        let _ = own.read_reply(&[&body[..], seal.bytes()].concat(), &hello);
    }
}
