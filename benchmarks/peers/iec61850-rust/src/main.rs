//! A client on the crates of iec61850-rust: what `benchmarks/iec61850/ours.ts` does as a client, with the same orders on its
//! command line, for `read` and `dataset`.
use iec61850_client::IedConnection;
use iec61850_mms::mms::client::MmsClientBuilder;
use iec61850_mms::{AccessResult, MmsData};
use iec61850_model::FC;
use std::error::Error;
use std::time::Instant;

fn cpu_seconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let of = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The number in a measured value: `mag.f` of the structure.
fn number_of(result: &AccessResult) -> f32 {
    if let AccessResult::Success(MmsData::Structure(parts)) = result {
        if let Some(MmsData::Structure(mag)) = parts.first() {
            if let Some(MmsData::Float32(value)) = mag.first() {
                return *value;
            }
        }
    }
    f32::NAN
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, role, port, _side, test, count] = args.as_slice() else {
        return Err("client PORT SIDE-PORT read|dataset COUNT".into());
    };
    let (port, count): (u16, i64) = (port.parse()?, count.parse()?);
    if role != "client" || (test != "read" && test != "dataset") {
        return Err("only a client, for read and dataset".into());
    }
    let connection = IedConnection::with_mms_client(MmsClientBuilder::new().request_timeout_ms(10_000).build());
    connection.connect("127.0.0.1", port).await?;
    let (mut sum, mut values) = (0f32, 0u64);
    let mut times = Vec::with_capacity(count as usize);
    let (mut begin, mut cpu) = (Instant::now(), cpu_seconds());
    let mut before = begin;
    for i in -count / 10..count {
        if i == 0 {
            (begin, cpu, values) = (Instant::now(), cpu_seconds(), 0);
            before = begin;
        }
        if test == "read" {
            sum += connection.read_float("BLD/GGIO1.AnIn1.mag.f", FC::Mx).await?;
            values += 1;
        } else {
            for result in &connection.get_data_set_values("BLD/LLN0.All").await? {
                sum += number_of(result);
                values += 1;
            }
        }
        if i >= 0 {
            let now = Instant::now();
            times.push((now - before).as_secs_f64() * 1e3);
            before = now;
        }
    }
    let (seconds, used) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    if !sum.is_finite() {
        return Err("a value was not a number".into());
    }
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times[times.len() * part / 100];
    println!(
        "{{\"values\":{values},\"seconds\":{seconds},\"cpuSeconds\":{used},\"p50Ms\":{},\"p99Ms\":{}}}",
        at(50),
        at(99)
    );
    connection.disconnect().await?;
    Ok(())
}
