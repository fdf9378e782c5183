// Tells the linker that node brings the symbols of Node-API, and that what sled takes for a sync is one (src/power.rs).

fn main() {
    napi_build::setup();
    println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap=sync_file_range");
}
