// Tells the linker that node brings the symbols of Node-API.

fn main() {
    napi_build::setup();
}
