//! How a stream is asked for: a connection from an address of its own, and a request head by hand.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use super::member::Member;
use crate::target::Target;

/// Connects and sends the request.
///
/// # Errors
/// When the server cannot be reached.
pub async fn connect(target: &Target, member: &Member, cursor: &str) -> anyhow::Result<TcpStream> {
    let mut socket = match source(target.address.ip(), member.number) {
        Some(source) => {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((source, 0)))?;
            socket.connect(target.address).await?
        }
        None => TcpStream::connect(target.address).await?,
    };
    socket.set_nodelay(true)?;
    let Target { base, host, .. } = target;
    let Member { path, headers, .. } = member;
    let mut head = format!("GET {base}{path} HTTP/1.1\r\nHost: {host}\r\n{headers}");
    if !cursor.is_empty() {
        let _ = write!(head, "Last-Event-ID: {cursor}\r\n");
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await?;
    Ok(socket)
}

/// The loopback address of a stream. With one address for all, the kernel's search for a free port grows with the open streams,
/// up to a hundred times the cost of the rest. Only Linux has them all.
fn source(server: IpAddr, number: usize) -> Option<Ipv4Addr> {
    let local = cfg!(target_os = "linux") && server.is_ipv4() && server.is_loopback();
    let [_, high, middle, low] = (number as u32).to_be_bytes();
    local.then_some(Ipv4Addr::new(127, 1 + high % 254, middle, low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_on_this_machine_have_addresses_of_their_own() {
        let server: IpAddr = [127, 0, 0, 1].into();
        let of = |number| source(server, number).unwrap();
        assert_eq!([0, 258, 65_536].map(of), [[127, 1, 0, 0], [127, 1, 1, 2], [127, 2, 0, 0]].map(Ipv4Addr::from));
        assert_eq!(source([10, 0, 0, 1].into(), 0), None);
        assert_eq!(source(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 0), None);
    }
}
