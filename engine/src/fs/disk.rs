//! The disk below [`FaultFs`](super::FaultFs): what is volatile, what is durable, and what a crash makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::{Fault, Lacks};

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) names: BTreeMap<PathBuf, Node>,
    pub(super) durable_names: BTreeMap<PathBuf, Node>,
    /// Changes of names by the directory whose sync makes them durable, each all or nothing.
    pub(super) pending: Vec<(PathBuf, Vec<NameChange>)>,
    pub(super) locks: BTreeSet<PathBuf>,
    /// Counts crashes, so that handles from before one are recognised.
    pub(super) boot: u64,
    pub(super) operations: u64,
    pub(super) fault: Option<(u64, Fault)>,
    pub(super) lost_power: bool,
    pub(super) space: Option<u64>,
    /// Whether syncs claim success and make nothing durable.
    pub(super) lies: bool,
    pub(super) lacks: Lacks,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) volatile: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Write>,
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    At(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Dir,
    File(u64),
}

impl Node {
    pub(super) fn file(&self) -> Option<u64> {
        match self {
            Node::File(number) => Some(*number),
            Node::Dir => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Add(PathBuf, Node),
    Remove(PathBuf),
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            NameChange::Add(path, node) => names.insert(path.clone(), *node),
            NameChange::Remove(path) => names.remove(path),
        };
    }
}

impl Write {
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Write::At(position, bytes) => {
                let end = position + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*position..end].copy_from_slice(bytes);
            }
            Write::Truncate(length) => content.truncate(*length),
        }
    }
}

impl Disk {
    /// Counts an operation, and says what goes wrong in it.
    pub(super) fn step(&mut self) -> io::Result<Option<Fault>> {
        self.powered()?;
        let number = self.operations;
        self.operations += 1;
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        self.lost_power = fault == Some(Fault::PowerLoss);
        Ok(fault)
    }

    /// The bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        let named: BTreeSet<u64> = self.names.values().filter_map(|node| node.file()).collect();
        named.iter().map(|number| self.inodes[number].volatile.len() as u64).sum()
    }

    pub(super) fn powered(&self) -> io::Result<()> {
        if self.lost_power { Err(Fault::PowerLoss.error()) } else { Ok(()) }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Node::File(number)) => Ok(*number),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn is_dir(&self, path: &Path) -> io::Result<()> {
        match self.names.get(path) {
            _ if path.parent().is_none() => Ok(()), // the root, or the empty path
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn is_free(&self, path: &Path) -> io::Result<()> {
        if self.names.contains_key(path) { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    /// Makes every name durable as it is now.
    pub(super) fn settle_names(&mut self) {
        for (_, changes) in std::mem::take(&mut self.pending) {
            changes.iter().for_each(|change| change.apply(&mut self.durable_names));
        }
    }

    pub(super) fn crash(&mut self, mut dice: Dice) {
        for inode in self.inodes.values_mut() {
            for write in std::mem::take(&mut inode.pending) {
                match (write, dice.roll(4)) {
                    (_, 0) => {}
                    (Write::At(position, bytes), 1) => {
                        let torn = dice.roll(bytes.len() as u64 + 1) as usize;
                        Write::At(position, bytes[..torn].to_vec()).apply(&mut inode.durable);
                    }
                    (write, _) => write.apply(&mut inode.durable),
                }
            }
            inode.volatile = inode.durable.clone();
        }
        for (_, changes) in std::mem::take(&mut self.pending) {
            if dice.roll(2) == 1 {
                for change in &changes {
                    change.apply(&mut self.durable_names);
                }
            }
        }
        let is_dir = |names: &BTreeMap<_, _>, path: &Path| matches!(names.get(path), Some(Node::Dir));
        let unreachable: Vec<PathBuf> = (self.durable_names.keys())
            .filter(|path| {
                path.ancestors().skip(1).any(|dir| dir.parent().is_some() && !is_dir(&self.durable_names, dir))
            })
            .cloned()
            .collect();
        for path in unreachable {
            self.durable_names.remove(&path);
        }
        self.names = self.durable_names.clone();
        self.locks.clear();
        self.boot += 1;
        self.fault = None;
        self.lost_power = false;
    }
}

/// A small generator (SplitMix64), so that a seed picks the same fate on every machine. Seed 0 always rolls 0.
pub(super) struct Dice(pub u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        if self.0 == 0 {
            return 0;
        }
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
