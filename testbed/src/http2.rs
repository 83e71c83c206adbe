//! An HTTP/2 client with prior knowledge, DATA frames cut as told. It speaks no TLS.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpStream;

use crate::PATIENCE;
use crate::message::{Headers, Request, Response};

/// Sends one request on a connection of its own. Each piece of its body is one DATA frame, an empty one too, as
/// long as the peer's flow-control window holds it; the last frame ends the stream unless trailers follow.
///
/// # Errors
/// When there is no answer, the stream is reset, or a header cannot be said in HTTP/2.
pub fn send(address: SocketAddr, request: &Request) -> io::Result<Response> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, exchange(address, request))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer over HTTP/2"))?
    })
}

async fn exchange(address: SocketAddr, request: &Request) -> io::Result<Response> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.map_err(io::Error::other)?;

    let mut head = http::Request::builder()
        .method(request.method.as_str())
        .version(http::Version::HTTP_2)
        .uri(format!("http://{}{}", request.authority, request.path))
        .body(())
        .map_err(io::Error::other)?;
    *head.headers_mut() = to_map(&request.headers)?;
    let ends_here = request.pieces.is_empty() && request.trailers.is_empty();
    let (answer, mut body) = client.send_request(head, ends_here).map_err(io::Error::other)?;
    // The peer may answer and reset the stream before it has read the body: then its answer counts.
    let written = if ends_here { Ok(()) } else { send_body(&mut body, request).await };
    let answer = match (answer.await, written) {
        (Ok(answer), _) => answer,
        (Err(_), Err(broken)) => return Err(broken),
        (Err(error), Ok(())) => return Err(io::Error::other(error)),
    };

    let status = answer.status().as_u16();
    let headers = from_map(answer.headers());
    let mut incoming = answer.into_body();
    let mut body = Vec::new();
    while let Some(piece) = incoming.data().await {
        let piece = piece.map_err(io::Error::other)?;
        incoming.flow_control().release_capacity(piece.len()).map_err(io::Error::other)?;
        body.extend_from_slice(&piece);
    }
    let trailers = incoming.trailers().await.map_err(io::Error::other)?;
    drop(client);
    connection.abort();
    Ok(Response { status, headers, body, trailers: trailers.as_ref().map(from_map).unwrap_or_default() })
}

async fn send_body(body: &mut h2::SendStream<Bytes>, request: &Request) -> io::Result<()> {
    let n_pieces = request.pieces.len();
    for (index, piece) in request.pieces.iter().enumerate() {
        let last = index + 1 == n_pieces && request.trailers.is_empty();
        let mut rest = Bytes::copy_from_slice(piece);
        while !rest.is_empty() {
            body.reserve_capacity(rest.len());
            // Polling tells only of growth: what is there already must not be waited for.
            let window = match body.capacity() {
                0 => poll_fn(|context| body.poll_capacity(context)).await.unwrap_or(Ok(0)),
                ready => Ok(ready),
            };
            let window = window.map_err(io::Error::other)?;
            if window == 0 {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the stream was closed"));
            }
            let now = rest.split_to(window.min(rest.len()));
            let ends = last && rest.is_empty();
            body.send_data(now, ends).map_err(io::Error::other)?;
        }
        if piece.is_empty() {
            body.send_data(Bytes::new(), last).map_err(io::Error::other)?;
        }
    }
    if !request.trailers.is_empty() {
        body.send_trailers(to_map(&request.trailers)?).map_err(io::Error::other)?;
    }
    Ok(())
}

fn to_map(headers: &Headers) -> io::Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        let name = HeaderName::from_lowercase(name).map_err(io::Error::other)?;
        map.append(name, HeaderValue::from_bytes(value).map_err(io::Error::other)?);
    }
    Ok(map)
}

fn from_map(map: &HeaderMap) -> Headers {
    map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}
