//! The handshake: three sealed messages of at most 256 bytes, after which two processes know each other.
//!
//! ```text
//! frame: length of the body, 2 bytes; body                all numbers little-endian
//!
//! hello, from who connects     welcome or refusal          confirmation of either
//!   0  8  magic "DGCLUSTR"       0  8  magic                 0  8  magic
//!   8  2  version, 2             8  2  version               8  2  version
//!  10  1  kind, 1               10  1  kind, 2, 3 or 4      10  1  kind, 5
//!  11  1  purpose: 1 data,      11  1  length of the text   11  1  zero
//!         2 control             12 16  nonce                12 32  seal of the answer's
//!  12  2  process that connects 28  n  text: why not               seal and the above
//!  14  2  process it wants         32  seal of the hello's
//!  16  2  processes                    seal and the above
//!  18  2  workers of each,
//!         32768 more where
//!         all is encrypted
//!  20  8  attempt
//!  28 16  cluster, by its name
//!  44 16  nonce
//!  60 80  terms: five digests
//! 140 32  seal of the above
//! ```
//!
//! - **A stranger is closed after one frame.** Whoever cannot seal a hello gets no answer.
//! - **Nothing is replayed.** Each side's seal covers the other's nonce: an old hello is answered, but its sender
//!   cannot confirm. Until it does, it changes nothing here: a refusal that also ends this process has to be confirmed
//!   as well.
//! - **Bytes never panic.** What is not a message is [`Malformed`].
//!
//! Pure: bytes in, a decision out. The sockets are in `engine/src/cluster/bootstrap.rs`.

use super::secret::{Seal, Secret};
use super::terms::Terms;

/// The most bytes of a frame, with its length.
pub(crate) const FRAME_MAX: usize = 256;

/// How long a body may be.
pub(crate) const BODY_MAX: usize = FRAME_MAX - 2;

const MAGIC: &[u8; 8] = b"DGCLUSTR";
const VERSION: u16 = 2;
/// Added to the number of workers of a process that encrypts.
const ENCRYPTED: u16 = 1 << 15;
const HEAD: usize = 12;
const HELLO_BYTES: usize = 140 + Seal::BYTES;
const TEXT_AT: usize = 28;
const TEXT_MAX: usize = BODY_MAX - TEXT_AT - Seal::BYTES;

const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const REFUSED: u8 = 3;
const NOT_NOW: u8 = 4;
const CONFIRMATION: u8 = 5;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Timely's messages.
    Data = 1,
    /// Heartbeats, and what must be said beside the data.
    Control = 2,
}

/// Who a process is, and what it expects of the others.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) process: u16,
    pub(crate) processes: u16,
    pub(crate) attempt: u64,
    pub(crate) cluster: String,
    pub(crate) secret: Secret,
    pub(crate) terms: Terms,
}

/// Bytes that are no message of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What a process says when it connects to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) purpose: Purpose,
    pub(crate) from: u16,
    to: u16,
    processes: u16,
    attempt: u64,
    cluster: u128,
    terms: Terms,
}

/// The answer to a hello.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The sender does not know the secret, or these are not the bytes of a hello: closed without a word.
    Close,
    /// It does not belong here; the frame says why.
    Refuse {
        frame: Vec<u8>,
        reason: String,
        /// Where the two can never run together, so that this process need not wait for others either: what the other
        /// one has to confirm before that counts.
        fatal: Option<Confirmation>,
    },
    /// It belongs here if it can confirm.
    Welcome {
        hello: Hello,
        frame: Vec<u8>,
        expected: Confirmation,
        /// The secret of the connection from then on.
        session: Secret,
    },
}

/// The confirmation that is expected: only whoever made the hello, and made it now, can make it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmation(Seal);

/// Why a process does not belong here.
struct Objection {
    reason: String,
    /// Whether the two can never run together.
    fatal: bool,
    /// Whether it may ask again.
    again: bool,
}

/// How the answer to a hello is understood.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The other side knows the secret. What to answer it, and the secret of the connection.
    Welcome { confirmation: Vec<u8>, session: Secret },
    /// It says why not.
    Refused {
        reason: String,
        /// Whether it may be asked again.
        again: bool,
        /// What to answer, so that it believes that it was asked.
        confirmation: Vec<u8>,
    },
}

/// The frame around a body.
fn framed(body: Vec<u8>) -> Vec<u8> {
    assert!(body.len() <= BODY_MAX, "a message of the handshake has {} bytes", body.len());
    [&(body.len() as u16).to_le_bytes()[..], &body].concat()
}

fn head(kind: u8, byte: u8) -> Vec<u8> {
    [&MAGIC[..], &VERSION.to_le_bytes(), &[kind, byte]].concat()
}

fn cluster_digest(name: &str) -> u128 {
    xxhash_rust::xxh3::xxh3_128(name.as_bytes())
}

/// The numbers of a message, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*field)
    }
    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take().map(u16::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, Malformed> {
        self.take().map(u64::from_le_bytes)
    }
    fn u128(&mut self) -> Result<u128, Malformed> {
        self.take().map(u128::from_le_bytes)
    }
}

impl Identity {
    /// The hello to process `to`, as a frame, and its seal.
    pub(crate) fn hello(&self, to: u16, purpose: Purpose, nonce: [u8; 16]) -> (Vec<u8>, Seal) {
        let mut body = head(HELLO, purpose as u8);
        let workers = self.terms.workers | if self.terms.encrypted { ENCRYPTED } else { 0 };
        for number in [self.process, to, self.processes, workers] {
            body.extend(number.to_le_bytes());
        }
        body.extend(self.attempt.to_le_bytes());
        body.extend(cluster_digest(&self.cluster).to_le_bytes());
        body.extend(nonce);
        self.terms.digests.iter().for_each(|digest| body.extend(digest.to_le_bytes()));
        let seal = self.secret.seal(&body);
        body.extend(seal.bytes());
        (framed(body), seal)
    }

    /// What to do with the body of a first frame. `joined` says whether a process has joined already for a purpose.
    pub(crate) fn answer(&self, body: &[u8], nonce: [u8; 16], joined: impl Fn(u16, Purpose) -> bool) -> Answer {
        let Some(at) = body.len().checked_sub(Seal::BYTES) else { return Answer::Close };
        let (message, claimed) = body.split_at(at);
        let seal = self.secret.seal(message);
        if !seal.is(claimed) || !message.starts_with(MAGIC) {
            return Answer::Close;
        }
        // From here on it is one of us, though perhaps of another version.
        let version = message.get(8..10).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
        if version != Some(VERSION) {
            let version = version.unwrap_or_default();
            let reason = format!(
                "a handshake of version {version}, and that of process {} has version {VERSION}; the processes run \
                 different builds",
                self.process
            );
            let (frame, refusal) = self.reply(&seal, REFUSED, nonce, &reason);
            return Answer::Refuse { frame, reason, fatal: Some(self.expected(&refusal)) };
        }
        let Ok(hello) = Hello::parse(message) else { return Answer::Close };
        match self.objection(&hello, joined) {
            Some(Objection { reason, fatal, again }) => {
                let (frame, refusal) = self.reply(&seal, if again { NOT_NOW } else { REFUSED }, nonce, &reason);
                Answer::Refuse { frame, reason, fatal: fatal.then(|| self.expected(&refusal)) }
            }
            None => {
                let (frame, welcome) = self.reply(&seal, WELCOME, nonce, "");
                let session = self.secret.session("session", [&seal, &welcome]);
                Answer::Welcome { hello, frame, expected: self.expected(&welcome), session }
            }
        }
    }

    /// Why a process that knows the secret does not belong here.
    fn objection(&self, hello: &Hello, joined: impl Fn(u16, Purpose) -> bool) -> Option<Objection> {
        let (me, them) = (self.process, hello.from);
        let fatal = |reason| Some(Objection { reason, fatal: true, again: false });
        let theirs = |reason, again| Some(Objection { reason, fatal: false, again });
        if hello.cluster != cluster_digest(&self.cluster) {
            return theirs(format!("process {me} is of another cluster, `{}`", self.cluster), false);
        }
        if hello.attempt != self.attempt {
            let reason =
                format!("process {them} is of attempt {}, and process {me} of {}", hello.attempt, self.attempt);
            // An old one is over. A younger one has met this process, which is old and has not noticed.
            return theirs(reason, hello.attempt > self.attempt);
        }
        if hello.processes != self.processes {
            let (wanted, mine) = (hello.processes, self.processes);
            return fatal(format!("process {them} is one of {wanted} processes, and process {me} is one of {mine}"));
        }
        if hello.to != me || them <= me || them >= self.processes {
            let wanted = hello.to;
            return fatal(format!(
                "process {them} has reached process {me} and wanted process {wanted}: the lists of hosts differ"
            ));
        }
        if let Some(difference) = self.terms.difference(me, &hello.terms, them) {
            return fatal(difference);
        }
        if joined(them, hello.purpose) {
            let mistake = format!("likely mistake: two were started with the number {them}");
            return theirs(format!("there is a process {them} already; {mistake}"), false);
        }
        None
    }

    /// A frame that answers a hello, and its seal.
    fn reply(&self, hello: &Seal, kind: u8, nonce: [u8; 16], text: &str) -> (Vec<u8>, Seal) {
        let mut end = text.len().min(TEXT_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut body = head(kind, end as u8);
        body.extend(nonce);
        body.extend(&text.as_bytes()[..end]);
        let seal = self.secret.seal(&[&hello.bytes()[..], &body].concat());
        body.extend(seal.bytes());
        (framed(body), seal)
    }

    fn expected(&self, answer: &Seal) -> Confirmation {
        Confirmation(self.confirmation(answer).1)
    }

    /// The frame that confirms an answer, and its seal.
    fn confirmation(&self, answer: &Seal) -> (Vec<u8>, Seal) {
        let mut body = head(CONFIRMATION, 0);
        let seal = self.secret.seal(&[&answer.bytes()[..], &body].concat());
        body.extend(seal.bytes());
        (framed(body), seal)
    }

    /// What to do with the body of the answer to the hello that bore `hello` as its seal.
    pub(crate) fn read_reply(&self, body: &[u8], hello: &Seal) -> Result<Reply, Malformed> {
        let at = body.len().checked_sub(Seal::BYTES).ok_or(Malformed)?;
        let (message, claimed) = body.split_at(at);
        let seal = self.secret.seal(&[&hello.bytes()[..], message].concat());
        if !seal.is(claimed) || message.len() < TEXT_AT {
            return Err(Malformed);
        }
        let text = String::from_utf8_lossy(&message[TEXT_AT..]).into_owned();
        let confirmation = self.confirmation(&seal).0;
        match message[10] {
            WELCOME => Ok(Reply::Welcome { confirmation, session: self.secret.session("session", [hello, &seal]) }),
            kind @ (REFUSED | NOT_NOW) => Ok(Reply::Refused { reason: text, again: kind == NOT_NOW, confirmation }),
            _ => Err(Malformed),
        }
    }
}

impl Hello {
    /// Reads what stands before the seal.
    fn parse(message: &[u8]) -> Result<Hello, Malformed> {
        if message.len() != HELLO_BYTES - Seal::BYTES || message[10] != HELLO {
            return Err(Malformed);
        }
        let purpose = match message[11] {
            1 => Purpose::Data,
            2 => Purpose::Control,
            _ => return Err(Malformed),
        };
        let mut fields = Fields(&message[HEAD..]);
        let (from, to, processes, workers) = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
        let (attempt, cluster, _nonce) = (fields.u64()?, fields.u128()?, fields.u128()?);
        let mut digests = [0; Terms::SUBJECTS.len()];
        for digest in &mut digests {
            *digest = fields.u128()?;
        }
        let terms = Terms { workers: workers & !ENCRYPTED, encrypted: workers & ENCRYPTED != 0, digests };
        Ok(Hello { purpose, from, to, processes, attempt, cluster, terms })
    }
}

impl Confirmation {
    /// Whether the body is the expected confirmation.
    pub(crate) fn is(&self, body: &[u8]) -> bool {
        body.strip_prefix(&head(CONFIRMATION, 0)[..]).is_some_and(|seal| self.0.is(seal))
    }
}

#[cfg(test)]
mod tests;
