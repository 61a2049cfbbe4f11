import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch on loopback, until it is killed: Node FOLDER HTTP_PORT TRANSPORT_PORT. */
public class Node {
    public static void main(String[] words) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            settings.put("discovery.type", "single-node");
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", words[1]);
            settings.put("transport.port", words[2]);
        });
        runner.build(OpenSearchRunner.newConfigs().basePath(words[0]).numOfNode(1));
        Thread.currentThread().join();
    }
}
