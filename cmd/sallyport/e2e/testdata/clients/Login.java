// Prints what a URL brings through a proxy that wants a login, with the JDK's HttpClient or its
// HttpURLConnection. Arguments: the name of the class, the proxy's address, the URL, and the user and
// the password if there are any.

import java.io.IOException;
import java.io.InputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

class Login {
	static String[] args;

	static class Asked extends Authenticator {
		protected PasswordAuthentication getPasswordAuthentication() {
			System.err.println("asked by " + getRequestorType() + ", " + getRequestingScheme() + ", " + getRequestingPrompt());
			return args.length > 4 ? new PasswordAuthentication(args[3], args[4].toCharArray()) : null;
		}
	}

	public static void main(String[] given) throws Exception {
		args = given;
		var at = new InetSocketAddress(args[1], 3128);
		try {
			if (args[0].equals("HttpClient")) {
				var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(ProxySelector.of(at)).authenticator(new Asked()).build();
				var response = client.send(HttpRequest.newBuilder(URI.create(args[2])).build(), HttpResponse.BodyHandlers.ofString());
				System.out.print(response.body());
				System.exit(response.statusCode() == 200 ? 0 : 1);
			}
			Authenticator.setDefault(new Asked());
			var c = (HttpURLConnection) new URL(args[2]).openConnection(new Proxy(Proxy.Type.HTTP, at));
			try (InputStream in = c.getInputStream()) {
				in.transferTo(System.out);
			}
		} catch (IOException e) {
			System.err.println(e);
			System.exit(1);
		}
	}
}
