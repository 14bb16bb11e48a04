//! A place behind a URL as a store: S3, and whatever else `object_store` supports.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as Remote, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::runtime::Runtime;

use super::{Created, Store, StoreError};
use crate::{Error, Result};

/// How many bytes are uploaded at once; anything smaller is uploaded whole.
const PART: usize = 8 << 20;

/// A place behind a URL as a store.
///
/// That what was stored is durable and seen whole is the store's own promise; that only one of two creates wins is
/// checked by [`probe`](super::probe). `object_store` retries requests, within its time limits.
#[derive(Debug)]
pub struct RemoteStore {
    store: Arc<dyn ObjectStore>,
    root: Path,
    url: String,
    /// Requests are driven by the thread that waits for them.
    runtime: Runtime,
}

impl RemoteStore {
    /// The store at a URL (`s3://bucket/job`), configured by the variables of the environment that its provider's own
    /// tools read (`AWS_…`).
    ///
    /// # Errors
    /// When the URL cannot be read, or its scheme was not compiled in.
    pub fn open(url: &str) -> Result<RemoteStore> {
        let bad = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::usage(format!("checkpoints {url}: this is no place that they can be stored at")).caused_by(cause)
        };
        let parsed = url::Url::parse(url).map_err(|error| bad(error.into()))?;
        let options = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, root) = object_store::parse_url_opts(&parsed, options).map_err(|error| bad(error.into()))?;
        RemoteStore::new(Arc::from(store), root.as_ref(), url)
    }

    /// A store of `object_store`, below `root`; messages name it as `url`.
    ///
    /// # Errors
    /// When `root` is no path, or no runtime can be made.
    pub fn new(store: Arc<dyn ObjectStore>, root: &str, url: &str) -> Result<RemoteStore> {
        let root = Path::parse(root).map_err(|error| Error::usage(format!("checkpoints {url}")).caused_by(error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("a runtime for the checkpoints' store", error))?;
        Ok(RemoteStore { store, root, url: url.to_string(), runtime })
    }

    fn path(&self, name: &str) -> Path {
        let root = self.root.as_ref();
        let path = if root.is_empty() { name.to_string() } else { format!("{root}/{name}") };
        Path::parse(path.trim_end_matches('/')).expect("names in the store are plain")
    }

    fn error(&self, name: &str, error: Remote) -> StoreError {
        let place = format!("checkpoints {}/{name}", self.url);
        match error {
            Remote::NotFound { .. } => StoreError::NotFound { place },
            error => StoreError::Transient { place, cause: io::Error::other(error) },
        }
    }
}

impl Store for RemoteStore {
    fn describe(&self) -> String {
        self.url.clone()
    }

    fn put(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
        let mut out = Upload { remote: self, path: self.path(name), buffer: Vec::new(), parts: None };
        let written = write(&mut out).and_then(|()| out.finish());
        written.map_err(|cause| {
            out.abort();
            StoreError::Transient { place: format!("checkpoints {}/{name}", self.url), cause }
        })
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let (path, payload) = (self.path(name), PutPayload::from(bytes.to_vec()));
        let put = self.store.put_opts(&path, payload, PutMode::Create.into());
        let Err(error) = self.runtime.block_on(put) else { return Ok(Created::New) };
        // Taken, or a request whose answer was lost: what stands there now is the truth.
        match self.get(name) {
            Ok(found) if found == bytes => Ok(Created::New),
            Ok(_) => Ok(Created::Taken),
            Err(_) => Err(match self.error(name, error) {
                StoreError::NotFound { place } => {
                    StoreError::Transient { place, cause: io::Error::other("the place does not exist") }
                }
                error => error,
            }),
        }
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.path(name);
        let bytes = self.runtime.block_on(async { self.store.get(&path).await?.bytes().await });
        bytes.map(Vec::from).map_err(|error| self.error(name, error))
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let path = self.path(name);
        let bytes: Result<Bytes, Remote> = self.runtime.block_on(async {
            match self.store.get_range(&path, range.clone()).await {
                Err(error) if !matches!(error, Remote::NotFound { .. }) => {
                    // A range that begins after the end is refused; here it is empty.
                    let size = self.store.head(&path).await?.size;
                    if size <= range.start { Ok(Bytes::new()) } else { Err(error) }
                }
                bytes => bytes,
            }
        });
        bytes.map(Vec::from).map_err(|error| self.error(name, error))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.path(folder);
        let found = self.runtime.block_on(self.store.list_with_delimiter(Some(&path)));
        let found = found.map_err(|error| self.error(folder, error))?;
        let names = found.objects.iter().filter_map(|object| object.location.filename());
        let mut names: Vec<String> = names.map(|name| format!("{folder}{name}")).collect();
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.runtime.block_on(self.store.delete(&self.path(name))) {
            Ok(()) | Err(Remote::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(name, error)),
        }
    }
}

/// Bytes on their way: seen by nobody until the upload is finished.
struct Upload<'a> {
    remote: &'a RemoteStore,
    path: Path,
    buffer: Vec<u8>,
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Upload<'_> {
    fn finish(&mut self) -> io::Result<()> {
        let RemoteStore { store, runtime, .. } = self.remote;
        if self.parts.is_none() {
            let payload = PutPayload::from(std::mem::take(&mut self.buffer));
            return runtime.block_on(store.put(&self.path, payload)).map(|_| ()).map_err(io::Error::other);
        }
        self.upload()?;
        let parts = self.parts.as_mut().expect("an upload in parts");
        runtime.block_on(parts.complete()).map(|_| ()).map_err(io::Error::other)
    }

    /// Uploads what is collected as a part.
    fn upload(&mut self) -> io::Result<()> {
        let RemoteStore { store, runtime, .. } = self.remote;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let payload = PutPayload::from(std::mem::take(&mut self.buffer));
        let uploaded = runtime.block_on(async {
            if self.parts.is_none() {
                self.parts = Some(store.put_multipart(&self.path).await?);
            }
            self.parts.as_mut().expect("it was started").put_part(payload).await
        });
        uploaded.map_err(io::Error::other)
    }

    fn abort(&mut self) {
        if let Some(parts) = &mut self.parts {
            // What is left of an upload costs space, and is never seen.
            let _ = self.remote.runtime.block_on(parts.abort());
        }
    }
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == PART {
            self.upload()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
