// Prints what a URL brings, or why it brings nothing, as HttpURLConnection has it.

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;

class Fetch {
	public static void main(String[] args) throws Exception {
		var c = (HttpURLConnection) new URL(args[0]).openConnection();
		c.setConnectTimeout(20_000);
		c.setReadTimeout(20_000);
		try (InputStream in = c.getInputStream()) {
			in.transferTo(System.out);
		} catch (IOException e) {
			System.err.println(e);
			System.exit(1);
		}
	}
}
