//! An upstream that is down. It answers nothing, not even with an error.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Socket, Type};

/// A port that refuses every connection. While this lives, nobody else gets the port.
#[derive(Debug)]
pub struct ClosedPort {
    socket: Socket,
}

impl ClosedPort {
    /// Takes a random port of 127.0.0.1 and never listens on it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn hold() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { socket })
    }

    /// The same, but a server of ours may listen on it, one after the other or Envoys side by side: it stays ours in between.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn hold_for_servers() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // What a server of std's sets, and what Envoy sets. This socket never listens, so it takes no connection from them.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { socket })
    }

    /// The port.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn port(&self) -> io::Result<u16> {
        let address = self.socket.local_addr()?;
        address.as_socket().map(|address| address.port()).ok_or_else(|| io::Error::other("no port"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_port_held_for_servers_is_closed_between_them() {
        let held = ClosedPort::hold_for_servers().unwrap();
        let address = (Ipv4Addr::LOCALHOST, held.port().unwrap());
        for _ in 0..2 {
            assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            let server = std::net::TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(address).unwrap();
            // The server's end closes first, as when it is killed.
            drop(server.accept().unwrap());
            drop(server);
            drop(client);
        }
    }

    #[test]
    fn a_closed_port_refuses_and_is_nobody_elses() {
        let closed = ClosedPort::hold().unwrap();
        let address = (Ipv4Addr::LOCALHOST, closed.port().unwrap());
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(std::net::TcpListener::bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
