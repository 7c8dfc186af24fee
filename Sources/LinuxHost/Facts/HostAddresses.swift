import Foundation

/// An address that an interface of this host has.
package struct HostAddress: Hashable {
    package let interface: String
    /// Without a prefix length.
    package let text: String
    package let prefixLength: Int
}

/// The addresses of all interfaces of the network namespace that this process is in, without `lo`.
package func hostAddresses() -> [HostAddress] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard unsafe getifaddrs(&list) == 0 else { return [] }
    defer { unsafe freeifaddrs(list) }
    var found: [HostAddress] = []
    // SAFETY: the list is the kernel's, ends with nil and lives until `freeifaddrs`; an entry
    // without an address or mask is passed over, and the family says how large both are.
    var next = unsafe list
    while let entry = unsafe next?.pointee {
        unsafe next = entry.ifa_next
        let interface = unsafe String(cString: entry.ifa_name)
        guard interface != "lo", let address = unsafe bytes(of: entry.ifa_addr),
            let mask = unsafe bytes(of: entry.ifa_netmask), let text = addressText(address)
        else { continue }
        let length = mask.reduce(0) { $0 + $1.nonzeroBitCount }
        found.append(HostAddress(interface: interface, text: text, prefixLength: length))
    }
    return found
}

/// The four or sixteen bytes of an IPv4 or IPv6 address; nil for other families.
private func bytes(of address: UnsafeMutablePointer<sockaddr>?) -> [UInt8]? {
    guard let address = unsafe address else { return nil }
    let start = UnsafeRawPointer(address)
    switch Int32(unsafe address.pointee.sa_family) {
    case AF_INET:
        let place = unsafe start.loadUnaligned(as: sockaddr_in.self).sin_addr
        return unsafe withUnsafeBytes(of: place) { unsafe Array($0) }
    case AF_INET6:
        let place = unsafe start.loadUnaligned(as: sockaddr_in6.self).sin6_addr
        return unsafe withUnsafeBytes(of: place) { unsafe Array($0) }
    default: return nil
    }
}

/// The canonical text of four or sixteen bytes.
private func addressText(_ bytes: [UInt8]) -> String? {
    precondition(bytes.count == 4 || bytes.count == 16)
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    let size = socklen_t(text.count)
    guard unsafe inet_ntop(family, bytes, &text, size) != nil else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
