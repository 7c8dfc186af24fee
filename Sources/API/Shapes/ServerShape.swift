import MigrationCore

/// `GET /1.0`: the daemon in the shape of LXD and Incus, with ours (`godwit`) beside it.
struct ServerShape: Codable, Equatable, Sendable {
    var apiExtensions = ["godwit_migrations", "godwit_resolve", "godwit_trust"]
    var apiStatus = "stable"
    var apiVersion = "1.0"
    var auth = "trusted"
    var authMethods = ["tls"]
    var `public` = false
    var config: [String: String] = [:]
    var environment: Environment
    var godwit: HostInformation

    struct Environment: Codable, Equatable, Sendable {
        var addresses: [String]
        var architectures: [String]
        var certificateFingerprint: String
        var kernel = "Linux"
        var kernelArchitecture: String
        var kernelVersion: String
        var server = "godwit"
        var serverName: String
        var serverVersion: String

        enum CodingKeys: String, CodingKey {
            case addresses, architectures
            case certificateFingerprint = "certificate_fingerprint"
            case kernel
            case kernelArchitecture = "kernel_architecture"
            case kernelVersion = "kernel_version"
            case server
            case serverName = "server_name"
            case serverVersion = "server_version"
        }
    }

    enum CodingKeys: String, CodingKey {
        case apiExtensions = "api_extensions"
        case apiStatus = "api_status"
        case apiVersion = "api_version"
        case auth
        case authMethods = "auth_methods"
        case `public`, config, environment, godwit
    }

    @inline(never)
    init(_ information: HostInformation) {
        environment = Environment(
            addresses: [information.address],
            architectures: [information.facts.architecture],
            certificateFingerprint: information.fingerprint,
            kernelArchitecture: information.facts.architecture,
            kernelVersion: information.facts.kernel.description,
            serverName: information.name,
            serverVersion: information.version)
        godwit = information
    }
}
