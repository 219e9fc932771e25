//! Requests to the kernel and their answers.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo as LinkInfoAttribute, LinkMessage};
use netlink_packet_route::route::RouteMessage;
use rtnetlink::Handle;
use tokio::time::{sleep, timeout};

use super::{ANSWER_PATIENCE, LinkInfo, NetlinkError, Route, message};

/// A dump is begun again when something changed during it, or when one that a cancelled caller left behind is
/// still running.
const DUMP_ATTEMPTS: usize = 20;
const DUMP_PAUSE: Duration = Duration::from_millis(5);

/// An open rtnetlink socket. Its owner sees to it that requests come one after the other.
pub(super) struct Connection {
    handle: Handle,
}

impl Connection {
    pub fn open() -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Sends a request that the kernel confirms.
    pub async fn acknowledged(
        &self,
        operation: &'static str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.ask(operation, message, NLM_F_ACK | flags).await.map(drop)
    }

    pub async fn link(&self, interface: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(interface.to_owned()));
        let answers = match self.ask("get link", RouteNetlinkMessage::GetLink(message), 0).await {
            Err(NetlinkError::Request { source, .. })
                if matches!(source.raw_os_error(), Some(libc::ENODEV | libc::ERANGE | libc::EINVAL)) =>
            {
                return Ok(None);
            }
            answers => answers?,
        };
        Ok(answers.into_iter().find_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(link_info(&message)),
            _ => None,
        }))
    }

    pub async fn link_messages(&self) -> Result<Vec<LinkMessage>, NetlinkError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.ask("list links", request, NLM_F_DUMP).await?;
        let links = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(message),
            _ => None,
        });
        Ok(links.collect())
    }

    pub async fn address_messages(&self) -> Result<Vec<AddressMessage>, NetlinkError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.ask("list addresses", request, NLM_F_DUMP).await?;
        let addresses = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => Some(message),
            _ => None,
        });
        Ok(addresses.collect())
    }

    pub async fn routes(&self) -> Result<Vec<Route>, NetlinkError> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = self.ask("list routes", request, NLM_F_DUMP).await?;
        let routes = answers.iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(message) => message::route(message),
            _ => None,
        });
        Ok(routes.collect())
    }

    async fn ask(
        &self,
        operation: &'static str,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            let answers = timeout(ANSWER_PATIENCE, self.ask_once(request.clone(), flags)).await;
            match answers.map_err(|_| NetlinkError::NoAnswer { operation })? {
                Ok(Some(answers)) => return Ok(answers),
                Ok(None) => {}
                Err(error)
                    if error.raw_os_error() == Some(libc::EBUSY) && flags & NLM_F_DUMP == NLM_F_DUMP => {}
                Err(source) => return Err(NetlinkError::Request { operation, source }),
            }
            sleep(DUMP_PAUSE).await;
        }
        Err(NetlinkError::Request { operation, source: io::Error::from_raw_os_error(libc::EBUSY) })
    }

    /// Nothing if what was listed changed meanwhile.
    async fn ask_once(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Option<Vec<RouteNetlinkMessage>>> {
        let mut request = NetlinkMessage::from(request);
        request.header.flags = NLM_F_REQUEST | flags;
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the netlink connection has ended");
        let mut stream = self.handle.clone().request(request).map_err(|_| closed())?;
        let mut answers = Vec::new();
        let mut consistent = true;
        while let Some(answer) = stream.next().await {
            consistent &= answer.header.flags & NLM_F_DUMP_INTR == 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => answers.push(message),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
        }
        Ok(consistent.then_some(answers))
    }
}

fn link_info(message: &LinkMessage) -> LinkInfo {
    let mut info = LinkInfo {
        index: message.header.index,
        kind: None,
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        mac: None,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => info.mtu = *mtu,
            LinkAttribute::Address(address) => info.mac = address.as_slice().try_into().ok(),
            LinkAttribute::LinkInfo(attributes) => {
                info.kind = attributes.iter().find_map(|attribute| match attribute {
                    LinkInfoAttribute::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    info
}
