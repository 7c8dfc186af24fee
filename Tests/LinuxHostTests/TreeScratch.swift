import Foundation
import LinuxHost
import MigrationCore

/// A folder of its own for one test, gone when the test is, however it ends.
func withTree<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let path = "/tmp/godwit-tree-\(UUID().uuidString.prefix(8))"
    try Directories.make(path, mode: 0o755)
    do {
        let value = try await body(path)
        try await Rm.tree(path).check()
        return value
    } catch {
        _ = try? await Rm.tree(path).check()
        throw error
    }
}

@discardableResult
func bash(_ script: String, _ arguments: String...) async throws -> String {
    try await Command("bash", ["-euc", script, "sh"] + arguments).check()
}

/// A tree with every kind of file, whose times are all set.
let sampleTree = """
    cd "$1"; mkdir -p a/b c; echo one > a/one; echo two > a/b/two; ln a/one c/link; ln -s one a/symbolic
    mkfifo fifo; mknod null c 1 3; echo acl > acl; setfacl -m u:1234:r acl; echo caps > caps
    setcap cap_chown+ep caps; setfattr -n user.x -v y a/one; echo x > $'not-\\xff-utf8'
    touch -h -d '2020-01-01 00:00:00.25' a/one a/b/two a/symbolic fifo null acl caps not*
    touch -d '2020-01-01 00:00:00.25' a/b a c .
    """
