//! Looks names up without ever keeping anybody else waiting.
//!
//! The system's resolver blocks, for half a minute where its servers do not answer, and the few threads that the
//! daemon has for what blocks also write the state to disk. Hence each name that is being looked up has a thread
//! of its own, and whoever asks for the same name waits for the same answer: there are never more threads than
//! different names.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// The resolver needs little, and the daemon's memory is locked.
const STACK: usize = 256 * 1024;

type Lookup = Shared<oneshot::Receiver<Result<Vec<IpAddr>, Arc<io::Error>>>>;

/// Looks names up.
#[derive(Clone)]
pub struct Resolver {
    look: fn(&str) -> io::Result<Vec<IpAddr>>,
    under_way: Arc<Mutex<BTreeMap<String, Lookup>>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::with(|host| Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl Resolver {
    /// With something else than the system's resolver, that blocks like it.
    #[must_use]
    pub fn with(look: fn(&str) -> io::Result<Vec<IpAddr>>) -> Self {
        Self { look, under_way: Arc::default() }
    }

    /// The addresses of a host, or the address that it is.
    ///
    /// # Errors
    /// As the system's resolver.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, Arc<io::Error>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let lookup = self.begin(host)?;
        lookup.await.unwrap_or_else(|_| Err(Arc::new(io::Error::other("the lookup ended"))))
    }

    fn begin(&self, host: &str) -> Result<Lookup, Arc<io::Error>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = under_way.get(host) {
            return Ok(lookup.clone());
        }
        let (tell, told) = oneshot::channel();
        let (look, book, name) = (self.look, Arc::clone(&self.under_way), host.to_owned());
        let thread = move || {
            let found = look(&name).map_err(Arc::new);
            book.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            // Whoever asked may have given up.
            let _ = tell.send(found);
        };
        std::thread::Builder::new()
            .name("lookup".to_owned())
            .stack_size(STACK)
            .spawn(thread)
            .map_err(Arc::new)?;
        let lookup = told.shared();
        under_way.insert(host.to_owned(), lookup.clone());
        Ok(lookup)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = this.lookup(name.as_str()).await?;
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| (ip, 0).into()));
            Ok(addresses)
        })
    }
}
