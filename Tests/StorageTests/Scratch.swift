import Foundation
import LinuxHost
import MigrationCore
import Testing

/// A folder of its own for one test, gone when the test is, however it ends.
func withScratch<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let path = "/tmp/godwit-storage-\(UUID().uuidString.prefix(8))"
    try Directories.make(path, mode: 0o755)
    do {
        let value = try await body(path)
        try await unmountAll(below: path)
        try await Rm.tree(path).check()
        return value
    } catch {
        try? await unmountAll(below: path)
        _ = try? await Rm.tree(path).check()
        throw error
    }
}

/// Unmounts what pools have mounted; their loop devices go with the mounts.
private func unmountAll(below path: String) async throws {
    let points = try SmallFile.text("/proc/self/mountinfo").split(separator: "\n")
        .map { String($0.split(separator: " ")[4]) }
    for point in points.reversed() where point.hasPrefix(path + "/") {
        try await Command("umount", ["--lazy", point]).check()
    }
    if hasThinPools { try await endThinPools(below: path) }
}

/// Takes away the volume groups in files, which would outlive these.
private func endThinPools(below path: String) async throws {
    try await shell(
        """
        losetup --list --noheadings --output NAME,BACK-FILE | while read -r loop file; do
            case $file in "$1"/*) ;; *) continue ;; esac
            for group in $(lvm vgs --noheadings --options vg_name --devices "$loop" 2>&1); do
                case $group in
                godwit-*) lvm vgremove --force --yes --devices "$loop" "$group" ;;
                esac
            done
            losetup --detach "$loop"
        done
        """, path)
}

/// A small filesystem for one test.
func withTmpfs<Value>(
    at path: String, size: String, _ body: () async throws -> Value
) async throws -> Value {
    try Directories.make(path, mode: 0o755)
    try await Command("mount", ["-t", "tmpfs", "-o", "size=\(size)", "godwit", path]).check()
    do {
        let value = try await body()
        try await Command("umount", [path]).check()
        return value
    } catch {
        _ = try? await Command("umount", ["--lazy", path]).check()
        throw error
    }
}

/// Runs a shell script; `$1` and on are the arguments.
@discardableResult
func shell(_ script: String, _ arguments: String...) async throws -> String {
    try await Command("bash", ["-euc", script, "sh"] + arguments).check()
}

func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path))
}

func read(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
}

/// A figure for whoever reads the log; nothing depends on it.
func report(_ figure: String) {
    FileHandle.standardError.write(Data("figure: \(figure)\n".utf8))
}

/// The error that the body ends with.
func failure(_ body: () async throws -> Void) async -> GodwitError? {
    do {
        try await body()
        return nil
    } catch { return error as? GodwitError }
}

/// What another program says about the equality of two trees: nothing.
func differences(_ source: String, _ target: String) async throws -> String {
    try await Command(
        "rsync",
        [
            "-aHAXXSn", "--checksum", "--delete", "--itemize-changes", "--numeric-ids",
            "--modify-window=-1", "\(source)/", "\(target)/",
        ]
    ).check()
}

/// Everything that a filesystem tree can hold, in few files.
let everyKind = """
    cd "$1"; umask 022
    mkdir -p etc var/empty "with space" $'new\\nline' $'not-\\xff\\xfe-utf8'
    echo root > etc/passwd; echo x > $'not-\\xff\\xfe-utf8'/$'\\x80'; echo y > $'new\\nline/a b'
    ln etc/passwd etc/passwd-; ln etc/passwd "with space/third"
    ln -s /etc/passwd absolute; ln -s ../../outside relative; ln -s nowhere dangling
    mkfifo pipe; mknod null c 1 3; mknod disk b 7 200
    python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind("socket")'
    truncate -s 64M sparse; echo end | dd of=sparse bs=1M seek=60 conv=notrunc status=none
    echo a > acl; setfacl -m u:100123:rw,g:100456:r acl
    setfacl -d -m u:100123:rwx var/empty
    echo c > caps; setcap cap_net_bind_service+ep caps
    echo s > setuid; chown 100033:100033 setuid; chmod 6755 setuid
    echo x > attributes; setfattr -n user.colour -v green attributes
    setfattr -n user.rsync.%stat -v mine attributes; setfattr -n trusted.t -v 1 attributes
    setfattr -h -n trusted.link -v 1 dangling
    chown -h 100001:100002 relative absolute; chown 100005 pipe null socket
    touch -h -d '2001-02-03 04:05:06.123456789' dangling etc/passwd pipe null
    touch -d '1999-01-01 00:00:00.5' var/empty; : > empty; chmod 000 empty
    chmod 1777 var; chown 100000:100000 .; chmod 751 .; setfattr -n user.root -v yes .
    touch -d '2002-02-02 02:02:02.02' .
    """

/// A loop device on the file for the time of the body.
func withLoop(_ file: String, _ body: (String) async throws -> Void) async throws {
    let device = try await Command("losetup", ["--find", "--show", file]).check()
        .filter { !$0.isWhitespace }
    do { try await body(device) } catch {
        _ = try? await Command("losetup", ["--detach", device]).check()
        throw error
    }
    try await Command("losetup", ["--detach", device]).check()
}
