//! One bucket of a file sink: its open spans, and the two steps by which a finished one becomes visible.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use dualgauge_engine::fs::{Kind, PlainName};
use dualgauge_engine::sink::{Prepared, Writing};
use dualgauge_engine::{Epoch, Error, EventTime, Result, SinkWriter};

use super::files::{self, on, synced};
use super::held::Share;
use super::ledger::{self, By, Line, What};
use super::manifest::{Manifest, Publish};
use super::{Aside, OutputPlace, Part, StagedName, Whole};

/// What distinguishes the files of one format from those of another: how rows are dealt to spans, held, staged and
/// written.
pub(crate) trait Shape {
    /// Rows of one span.
    type Rows;
    /// What an open span holds besides its parts.
    type Held: Default;

    /// Whether the files do not show that a sink has made them, so that a ledger must, even without checkpoints.
    const LEDGER: bool;

    /// Whether no row of the span can come any more.
    fn is_over(&self, start: EventTime, watermark: EventTime) -> bool;

    /// The visible name of a span's file; `supplement` counts those for rows that came after it was published.
    fn name(&self, start: EventTime, bucket: usize, supplement: usize) -> String;

    /// Whether a name is one that [`Shape::name`] can give.
    fn gives(&self, name: &str) -> bool;

    /// The rows by the start of their span.
    fn deal(&self, times: &[EventTime], rows: &RecordBatch) -> Result<Vec<(EventTime, Self::Rows)>>;

    /// Takes rows of a span. Returns whether memory now holds so many that they had better be staged.
    fn hold(&self, held: &mut Self::Held, rows: Self::Rows, making: &mut Making<'_>) -> Result<bool>;

    /// How many bytes of memory are freed when it is staged.
    fn bytes(&self, held: &Self::Held) -> usize;

    /// Takes out what memory holds, as contents of frames.
    fn stage(&self, held: &mut Self::Held) -> Result<Vec<Vec<u8>>>;

    /// Makes a file of the parts and of what is held. The same rows give the same bytes, however they are divided.
    fn finish(&self, held: Self::Held, parts: &[Part], making: &mut Making<'_>) -> Result<Whole>;
}

/// Where a [`Shape`] makes its files, and for what.
pub(crate) struct Making<'a> {
    pub(crate) aside: &'a mut Aside,
    /// What staged names say of the span.
    pub(crate) what: &'a str,
    /// Whether the job has checkpoints: then what is held is in memory and in parts, and nowhere else.
    pub(crate) durable: bool,
}

/// Writes the files of one bucket.
pub(crate) struct BucketWriter<S: Shape> {
    shape: S,
    place: OutputPlace,
    aside: Aside,
    /// Where its files become visible.
    visible: PathBuf,
    bucket: usize,
    job: Option<String>,
    durable: bool,
    /// By the start of the span.
    open: BTreeMap<EventTime, OpenSpan<S::Held>>,
    /// What they hold in memory.
    share: Share,
    /// The visible names that this writer gave and that may not be in the directory yet.
    given: BTreeSet<PlainName>,
    /// What is open in the commits to which the job may go back, by their epochs.
    kept: BTreeMap<Epoch, BTreeSet<StagedName>>,
    /// What was published and is kept for them.
    spent: BTreeSet<StagedName>,
}

/// A span that may still get rows.
struct OpenSpan<H> {
    held: H,
    /// How many bytes that is.
    bytes: usize,
    /// What earlier generations staged.
    taken_up: Vec<Part>,
    own: Option<Part>,
}

impl<S: Shape> BucketWriter<S> {
    /// Opens the bucket in its place.
    pub(crate) fn open(shape: S, place: OutputPlace, bucket: usize, writing: &Writing) -> Result<BucketWriter<S>> {
        let place = OutputPlace { fs: writing.retry.on(place.fs), ..place };
        let aside = Aside::open(place.fs.clone(), &place.staging, bucket, writing)?;
        let (visible, job) = (place.visible(writing)?, writing.job.clone());
        let (open, given) = (BTreeMap::new(), BTreeSet::new());
        let (kept, spent, durable) = (BTreeMap::new(), BTreeSet::new(), job.is_some());
        let share = Share::default();
        Ok(BucketWriter { shape, place, aside, visible, bucket, durable, job, open, share, given, kept, spent })
    }

    fn hold(&mut self, start: EventTime, rows: S::Rows) -> Result<()> {
        let what = self.shape.name(start, self.bucket, 0);
        let span = self.open.entry(start).or_insert_with(|| OpenSpan::of(Vec::new()));
        let mut making = Making { aside: &mut self.aside, what: &what, durable: self.durable };
        if self.shape.hold(&mut span.held, rows, &mut making)? {
            span.stage(&self.shape, &mut self.aside, &what)?;
        }
        span.count(&self.shape, &mut self.share);
        match self.share.goal() {
            Some(goal) => self.relieve(goal),
            None => Ok(()),
        }
    }

    /// Stages the spans that hold most, until no more than this many bytes are held.
    fn relieve(&mut self, goal: usize) -> Result<()> {
        let mut spans: Vec<_> = self.open.iter_mut().filter(|(_, span)| span.bytes > 0).collect();
        spans.sort_by_key(|(_, span)| std::cmp::Reverse(span.bytes));
        for (start, span) in spans {
            if self.share.bytes() <= goal {
                break;
            }
            let what = self.shape.name(*start, self.bucket, 0);
            span.stage(&self.shape, &mut self.aside, &what)?;
            span.count(&self.shape, &mut self.share);
        }
        Ok(())
    }

    /// Makes the file of a span that has ended.
    fn close(&mut self, start: EventTime, span: OpenSpan<S::Held>) -> Result<Publish> {
        self.share.change(span.bytes, 0);
        let name = self.free_name(start)?;
        let parts: Vec<Part> = span.taken_up.into_iter().chain(span.own).collect();
        let mut making = Making { aside: &mut self.aside, what: name.as_str(), durable: self.durable };
        let mut whole = self.shape.finish(span.held, &parts, &mut making)?;
        whole.spent.extend(parts.into_iter().map(|part| part.name));
        Ok(Publish { name, whole })
    }

    /// A visible name for the span that nobody has: the plain one, or that of the next supplement.
    fn free_name(&mut self, start: EventTime) -> Result<PlainName> {
        for supplement in 0.. {
            let name = PlainName::parse(self.shape.name(start, self.bucket, supplement))?;
            let path = name.within(&self.visible);
            if !self.given.contains(&name) && on(&path, self.place.fs.kind(&path))?.is_none() {
                self.given.insert(name.clone());
                return Ok(name);
            }
        }
        unreachable!("numbers do not end")
    }

    /// What an epoch prepared for this bucket.
    fn manifest(&self, epoch: Epoch, prepared: &[u8]) -> Result<Manifest> {
        Manifest::decode(epoch, prepared)?.check(epoch, self.bucket, |name| self.shape.gives(name))
    }

    /// Makes files visible, unless they are already; removes what they were made from only when that is durable.
    fn publish(&mut self, epoch: Epoch, files: &[Publish]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.place.check_owner(self.job.as_deref())?;
        if S::LEDGER || self.durable {
            self.note(epoch, files)?;
        }
        files.iter().try_for_each(|file| self.link(file))?;
        synced(&self.visible, self.place.fs.sync_names(&self.visible))?;
        for Publish { name, whole } in files {
            let spent = whole.spent.iter().chain([&whole.staged]);
            let (kept, gone): (Vec<_>, Vec<_>) = spent.partition(|spent| is_kept(&self.kept, spent));
            self.spent.extend(kept.into_iter().cloned());
            gone.into_iter().try_for_each(|spent| self.aside.remove(spent))?;
            self.given.remove(name);
        }
        Ok(())
    }

    /// Notes what is about to be published, except what was published before.
    fn note(&self, epoch: Epoch, files: &[Publish]) -> Result<()> {
        let fs = &*self.place.fs;
        let mut noted = Vec::new();
        for Publish { name, whole } in files {
            let path = self.aside.path(&whole.staged);
            if let Some(file) = files::if_there(&path, fs.open(&path))? {
                let job = self.job.as_deref().map(ledger::job_name);
                let by = job.map(|job| By { job, generation: whole.staged.generation(), epoch });
                let published = (on(&path, file.length())?, whole.blake3.clone());
                noted.push(Line { by, what: What::File(name.to_string(), published) });
            }
        }
        if noted.is_empty() { Ok(()) } else { ledger::add(fs, &self.place.published, self.bucket, &noted) }
    }

    fn link(&self, file: &Publish) -> Result<()> {
        let (staged, visible) = (self.aside.path(&file.whole.staged), file.name.within(&self.visible));
        match self.place.fs.give_name(&staged, &visible) {
            Ok(_) => return Ok(()),
            // Published before, by this generation or another.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
            Err(error) => {
                return Err(Error::io(format!("cannot publish {} as {}", staged.display(), visible.display()), error));
            }
        }
        match files::hash(&*self.place.fs, &visible)? {
            Some(hash) if hash == file.whole.blake3 => Ok(()),
            Some(_) => Err(Error::environment(format!(
                "{} is another file than the one to be published. Does another job write to this directory?",
                visible.display()
            ))),
            None => Err(Error::environment(format!(
                "{} was prepared to be published as {}, and neither is there; did somebody clean up there, or is this an \
                 old copy of the checkpoints?",
                staged.display(),
                visible.display()
            ))),
        }
    }

    /// Refuses a staged file that is no longer what was prepared; one that is gone may have been published.
    fn check_staged(&self, whole: &Whole) -> Result<()> {
        let path = self.aside.path(&whole.staged);
        match on(&path, self.place.fs.kind(&path))? {
            None | Some(Kind::File) => {}
            Some(_) => return Err(Error::data(format!("{} was prepared as a file and is none", path.display()))),
        }
        match files::hash(&*self.place.fs, &path)? {
            Some(hash) if hash != whole.blake3 => {
                Err(Error::data(format!("{} is not what was prepared: it is damaged", path.display())))
            }
            _ => Ok(()),
        }
    }
}

fn is_kept(kept: &BTreeMap<Epoch, BTreeSet<StagedName>>, name: &StagedName) -> bool {
    kept.values().any(|open| open.contains(name))
}

impl<S: Shape> Drop for BucketWriter<S> {
    /// A job without checkpoints never resumes, so it leaves nothing behind if it can help it.
    fn drop(&mut self) {
        if !self.durable {
            let _ = self.aside.remove_orphans(&BTreeSet::new());
        }
    }
}

impl<H: Default> OpenSpan<H> {
    fn of(taken_up: Vec<Part>) -> OpenSpan<H> {
        OpenSpan { held: H::default(), bytes: 0, taken_up, own: None }
    }

    /// Counts what it holds now.
    fn count<S: Shape<Held = H>>(&mut self, shape: &S, share: &mut Share) {
        let now = shape.bytes(&self.held);
        share.change(self.bytes, now);
        self.bytes = now;
    }

    /// Moves what memory holds into the span's part.
    fn stage<S: Shape<Held = H>>(&mut self, shape: &S, aside: &mut Aside, what: &str) -> Result<()> {
        for content in shape.stage(&mut self.held)? {
            let part = match &mut self.own {
                Some(part) => part,
                none => none.insert(Part::create(aside, what)?),
            };
            part.append(aside, &content)?;
        }
        Ok(())
    }
}

impl<S: Shape> SinkWriter for BucketWriter<S> {
    fn write(&mut self, times: &[EventTime], rows: &RecordBatch) -> Result<()> {
        assert_eq!(times.len(), rows.num_rows(), "every row has an event time");
        self.shape.deal(times, rows)?.into_iter().try_for_each(|(start, rows)| self.hold(start, rows))
    }

    fn prepare(&mut self, _: Epoch, watermark: EventTime) -> Result<Vec<u8>> {
        let mut manifest = Manifest::default();
        let over: Vec<_> = self.open.keys().copied().filter(|start| self.shape.is_over(*start, watermark)).collect();
        for start in over {
            let span = self.open.remove(&start).expect("a span that is open");
            manifest.publish.push(self.close(start, span)?);
        }
        if self.durable {
            for (start, span) in &mut self.open {
                let what = self.shape.name(*start, self.bucket, 0);
                span.stage(&self.shape, &mut self.aside, &what)?;
                span.count(&self.shape, &mut self.share);
                if let Some(part) = &mut span.own {
                    part.sync(&self.aside)?;
                }
                let parts = span.taken_up.iter().chain(&span.own).cloned().collect();
                manifest.open.push((start.as_micros(), parts));
            }
        }
        self.aside.sync()?;
        Ok(manifest.encode())
    }

    fn commit(&mut self, epoch: Epoch, prepared: &[u8]) -> Result<()> {
        self.publish(epoch, &self.manifest(epoch, prepared)?.publish)
    }

    fn keep(&mut self, kept: &[&Prepared]) -> Result<()> {
        // Most have been kept since an earlier call, and are known.
        self.kept.retain(|epoch, _| kept.iter().any(|one| one.epoch == *epoch));
        for one in kept {
            if !self.kept.contains_key(&one.epoch) {
                let open = self.manifest(one.epoch, &one.bytes)?.parts().cloned().collect();
                self.kept.insert(one.epoch, open);
            }
        }
        let gone: Vec<_> = self.spent.extract_if(.., |spent| !is_kept(&self.kept, spent)).collect();
        gone.iter().try_for_each(|spent| self.aside.remove(spent))
    }

    fn recover(&mut self, prepared: &[Prepared]) -> Result<()> {
        let mut kept = BTreeSet::new();
        // All are read before anything is touched.
        let manifest = |one: &Prepared| Ok((one.epoch, self.manifest(one.epoch, &one.bytes)?));
        let manifests = prepared.iter().map(manifest).collect::<Result<Vec<_>>>()?;
        for (epoch, manifest) in manifests {
            manifest.publish.iter().try_for_each(|file| self.check_staged(&file.whole))?;
            self.publish(epoch, &manifest.publish)?;
            kept = manifest.parts().cloned().collect();
            let spans = manifest.open.into_iter();
            self.open = spans.map(|(start, parts)| (EventTime::from_micros(start), OpenSpan::of(parts))).collect();
        }
        for part in self.open.values().flat_map(|span| &span.taken_up) {
            part.frames(&self.aside)?;
        }
        kept.extend(self.kept.values().flatten().cloned());
        self.aside.remove_orphans(&kept)
    }
}
