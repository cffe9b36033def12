//! One end of an IEC 60870-5-104 connection for interoperability tests, on the `iec104` crate.
//!
//!     iec104-peer client HOST PORT     controlling station
//!     iec104-peer server               controlled station without a process, on a free port of 127.0.0.1
//!     iec104-peer rtu                  controlled station with the crate's own process image and command handling
//!
//! Every ASDU that arrives is parsed by the crate, encoded again by the crate and printed: {"event":"asdu","hex":"..."}.
//! On standard input {"send":"<ASDU in hex>"} parses and sends one, {"start":true} and {"stop":true} are STARTDT and STOPDT,
//! {"set":[ca, ioa, value]} changes a short floating point value of the rtu. The program ends with its standard input.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use iec104::asdu::Asdu;
use iec104::client::{Client, ClientCallback};
use iec104::config::{ClientConfig, ServerConfig};
use iec104::rtu_server::{
    MapCommandsToSameIoaMonitoring, PointAddress, PointValue, RtuInitialPoint, RtuSystemHandlers,
    start_rtu_server_ephemeral,
};
use iec104::server::{ConnectionId, Server, ServerCallback};
use iec104::types::information_elements::{Siq, Spi};
use iec104::types::quality_descriptors::{Qds, SeqQd};
use iec104::types::{MItNa1, MMeNa1, MMeNb1, MMeNc1, MSpNa1};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

fn tell(value: Value) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}");
    let _ = out.flush();
}

fn tell_asdu(asdu: &Asdu) {
    let mut bytes = Vec::new();
    match asdu.to_bytes(&mut bytes) {
        Ok(()) => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            tell(json!({"event": "asdu", "hex": hex}));
        }
        Err(error) => tell(json!({"event": "error", "text": error.to_string()})),
    }
}

fn parse(hex: &str) -> Result<Asdu, String> {
    if hex.len() % 2 != 0 {
        return Err("odd number of hex digits".into());
    }
    let bytes = (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).map_err(|e| e.to_string()))
        .collect::<Result<Vec<u8>, String>>()?;
    Asdu::parse(&bytes).map_err(|e| e.to_string())
}

struct Heard;

#[async_trait]
impl ClientCallback for Heard {
    async fn on_new_objects(&self, asdu: Asdu) {
        tell_asdu(&asdu);
    }
    async fn on_connection_started(&self) {
        tell(json!({"event": "started"}));
    }
    async fn on_connection_stopped(&self) {
        tell(json!({"event": "stopped"}));
    }
    async fn on_error(&self, error: iec104::error::Error) {
        tell(json!({"event": "error", "text": error.to_string()}));
    }
    async fn on_reconnecting(&self) {
        tell(json!({"event": "reconnecting"}));
    }
}

#[async_trait]
impl ServerCallback for Heard {
    async fn on_new_objects(&self, asdu: Asdu, _id: ConnectionId, _address: SocketAddr) {
        tell_asdu(&asdu);
    }
    async fn on_new_connection(&self, _address: SocketAddr) {
        tell(json!({"event": "connected"}));
    }
    async fn on_connection_started(&self, _id: ConnectionId, _address: SocketAddr) {
        tell(json!({"event": "started"}));
    }
    async fn on_connection_stopped(&self, _id: ConnectionId, _address: SocketAddr) {
        tell(json!({"event": "stopped"}));
    }
    async fn on_error(&self, error: &iec104::error::Error) {
        tell(json!({"event": "error", "text": error.to_string()}));
    }
}

fn listening(mut config: ServerConfig) -> ServerConfig {
    config.address = "127.0.0.1".into();
    config.port = 0;
    config
}

/// Points of common address 1 (the same kinds as in the crate's own example).
fn points() -> Vec<RtuInitialPoint> {
    let at = |ioa| PointAddress::new(1, ioa);
    vec![
        (at(1), PointValue::MSpNa1(MSpNa1 { siq: Siq { spi: Spi::On, ..Default::default() } })).into(),
        (at(11), PointValue::MMeNc1(MMeNc1 { value: 42.5, qds: Qds::default() })).into(),
        (at(20), PointValue::MMeNa1(MMeNa1 { nva: -100, qds: Qds::default() })).into(),
        (at(21), PointValue::MMeNb1(MMeNb1 { sva: 7, qds: Qds::default() })).into(),
        RtuInitialPoint::with_counter_interrogation_group(
            at(30),
            PointValue::MItNa1(MItNa1 { bcr: 12_345, sqd: SeqQd::default() }),
            1,
        )
        .expect("a counter in group 1"),
        RtuInitialPoint::with_interrogation_group(
            at(40),
            PointValue::MMeNa1(MMeNa1 { nva: 100, qds: Qds::default() }),
            2,
        )
        .expect("a value in group 2"),
    ]
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let role = args.get(1).map_or("", String::as_str);
    let mut lines = BufReader::new(stdin()).lines();
    let mut client: Option<Client<Heard>> = None;
    let mut server: Option<Server> = None;
    let mut rtu = None;
    match role {
        "client" => {
            let mut config = ClientConfig::default();
            config.address = args[2].clone();
            config.port = args[3].parse().expect("a port");
            let mut made = Client::new(config, Heard);
            if let Err(error) = made.connect().await {
                tell(json!({"event": "error", "text": error.to_string()}));
                return;
            }
            tell(json!({"event": "connected"}));
            client = Some(made);
        }
        "server" => match Server::start_with_listen_addr(listening(ServerConfig::default()), Heard).await {
            Ok((made, address)) => {
                tell(json!({"event": "listening", "port": address.port()}));
                server = Some(made);
            }
            Err(error) => return tell(json!({"event": "error", "text": error.to_string()})),
        },
        "rtu" => {
            let handler = Arc::new(MapCommandsToSameIoaMonitoring);
            match start_rtu_server_ephemeral(ServerConfig::default(), points(), handler, RtuSystemHandlers::default()).await {
                Ok((made, address)) => {
                    tell(json!({"event": "listening", "port": address.port()}));
                    rtu = Some(made);
                }
                Err(error) => return tell(json!({"event": "error", "text": error.to_string()})),
            }
        }
        other => return tell(json!({"event": "error", "text": format!("unknown role '{other}'")})),
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(order) = serde_json::from_str::<Value>(&line) else {
            tell(json!({"event": "error", "text": "not JSON"}));
            continue;
        };
        let result: Result<(), String> = if let Some(hex) = order["send"].as_str() {
            match (parse(hex), &client, &server) {
                (Ok(asdu), Some(client), _) => client.send_asdu(asdu).await.map_err(|e| e.to_string()),
                (Ok(asdu), _, Some(server)) => server.broadcast_asdu(asdu).await.map_err(|e| e.to_string()),
                (Err(text), _, _) => Err(text),
                _ => Err("an rtu sends by itself".into()),
            }
        } else if order["start"] == true {
            match &mut client {
                Some(client) => client.start_receiving().await.map_err(|e| e.to_string()),
                None => Err("only a client starts".into()),
            }
        } else if order["stop"] == true {
            match &mut client {
                Some(client) => client.stop_receiving().await.map_err(|e| e.to_string()),
                None => Err("only a client stops".into()),
            }
        } else if let (Some(set), Some(rtu)) = (order["set"].as_array(), &rtu) {
            let address = PointAddress::new(set[0].as_u64().unwrap_or(0) as u16, set[1].as_u64().unwrap_or(0) as u32);
            let value = set[2].as_f64().unwrap_or(0.0) as f32;
            let point = PointValue::MMeNc1(MMeNc1 { value, qds: Qds::default() });
            rtu.clone().set_point(address, point).await.map_err(|e| e.to_string())
        } else {
            Err("unknown order".into())
        };
        if let Err(text) = result {
            tell(json!({"event": "error", "text": text}));
        }
    }
}
