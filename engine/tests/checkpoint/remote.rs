//! A store behind a URL whose answers get lost, whose requests fail, and which may ignore conditions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use dualgauge_engine::checkpoint::{Appended, Created, Entry, RemoteStore, Store, StoreError, probe, start};
use futures_core::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::common::{ALL, commit, held, layer, wish};

/// What goes wrong with a put.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// The put succeeds, and the answer is lost.
    AnswerLost,
    /// The put does not happen.
    Refused,
    /// The put replaces what is there, whatever was asked.
    ConditionIgnored,
}

#[derive(Debug)]
struct Faulty {
    memory: InMemory,
    wrong: Wrong,
    /// How many puts go well before one goes wrong; negative afterwards.
    well: AtomicI64,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

fn time_out() -> Error {
    Error::Generic { store: "faulty", source: "the request timed out".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.wrong == Wrong::ConditionIgnored {
            options.mode = PutMode::Overwrite;
            return self.memory.put_opts(path, payload, options).await;
        }
        match (self.well.fetch_sub(1, Ordering::Relaxed), self.wrong) {
            (0, Wrong::AnswerLost) => self.memory.put_opts(path, payload, options).await.and(Err(time_out())),
            (0, _) => Err(time_out()),
            _ => self.memory.put_opts(path, payload, options).await,
        }
    }
    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(path, options).await
    }
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.memory.get_opts(path, options).await
    }
    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(paths)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

fn remote(wrong: Wrong, well: i64) -> Arc<dyn Store> {
    let store = Faulty { memory: InMemory::new(), wrong, well: AtomicI64::new(well) };
    Arc::new(RemoteStore::new(Arc::new(store), "some/job", "memory:///some/job").unwrap())
}

#[test]
fn a_job_goes_on_from_what_it_stored_behind_a_url() {
    let store = remote(Wrong::Refused, i64::MAX);
    let mut first = start(store.clone(), wish()).unwrap();
    let layers = vec![layer(&store, "layers/1", &[(0, 1, Some(2)), (7, 1, Some(3))], &[])];
    let mine = commit(1, 5, layers.clone());
    assert_eq!(first.log.append(&Entry::Commit(Box::new(mine.clone()))).unwrap(), Appended::Done(1));
    assert_eq!(start(store.clone(), wish()).unwrap().resume, Some(mine));
    assert_eq!(held(&store, &layers, "part", ALL).unwrap().len(), 2);
    store.delete("layers/1").unwrap();
    store.delete("layers/1").unwrap();
    assert!(matches!(store.get("layers/1"), Err(StoreError::NotFound { .. })));
}

#[test]
fn a_range_behind_the_end_is_empty_and_one_across_it_is_cut_off() {
    let store = remote(Wrong::Refused, i64::MAX);
    store.create("layers/1", b"0123").unwrap();
    assert_eq!(store.get_range("layers/1", 2..9).unwrap(), b"23");
    assert_eq!(store.get_range("layers/1", 4..9).unwrap(), b"");
    assert_eq!(store.get_range("layers/1", 7..9).unwrap(), b"");
}

#[test]
fn what_is_too_large_for_one_request_is_uploaded_in_parts() {
    let store = remote(Wrong::Refused, i64::MAX);
    let bytes: Vec<u8> = (0..20_u32 << 20).map(|at| (at / 1000) as u8).collect();
    store.put("layers/1", &mut |out| bytes.chunks(700_001).try_for_each(|chunk| out.write_all(chunk))).unwrap();
    assert!(store.get("layers/1").unwrap() == bytes);
}

#[test]
fn an_answer_that_is_lost_is_found_out_and_a_request_that_failed_can_be_made_again() {
    let lost = remote(Wrong::AnswerLost, 0);
    assert_eq!(lost.create("manifest/0", b"mine").unwrap(), Created::New);
    assert_eq!(lost.create("manifest/0", b"yours").unwrap(), Created::Taken);
    let refused = remote(Wrong::Refused, 0);
    assert!(matches!(refused.create("manifest/0", b"mine"), Err(StoreError::Transient { .. })));
    assert_eq!(refused.create("manifest/0", b"mine").unwrap(), Created::New);
}

#[test]
fn a_commit_is_in_the_log_once_whichever_answer_was_lost() {
    for (wrong, well) in
        [Wrong::AnswerLost, Wrong::Refused].into_iter().flat_map(|wrong| (3..8).map(move |well| (wrong, well)))
    {
        let store = remote(wrong, well);
        let mut started = start(store.clone(), wish()).unwrap();
        for epoch in 1..=4 {
            let entry = Entry::Commit(Box::new(commit(1, epoch, Vec::new())));
            let appended = started.log.append(&entry).or_else(|_| started.log.append(&entry)).unwrap();
            assert_eq!(appended, Appended::Done(epoch), "{wrong:?} after {well}");
        }
    }
}

#[test]
fn a_store_behind_a_url_that_ignores_conditions_is_refused() {
    probe(&*remote(Wrong::Refused, i64::MAX)).unwrap();
    let error = start(remote(Wrong::ConditionIgnored, 0), wish()).unwrap_err().to_string();
    assert!(error.contains("memory:///some/job") && error.contains("two writers"), "{error}");
}

#[test]
fn a_url_that_is_none_or_is_not_compiled_in_is_refused_by_name() {
    for url in ["not a url", "gopher://x/y"] {
        assert!(RemoteStore::open(url).unwrap_err().to_string().contains(url));
    }
    assert_eq!(RemoteStore::open("memory:///job").unwrap().describe(), "memory:///job");
}
