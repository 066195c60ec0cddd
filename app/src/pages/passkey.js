// Has the browser make a passkey or use one, as the page's form says, and sends what comes of it.
const form = document.getElementById("passkey");
const told = document.getElementById("passkey-told");
const button = form.querySelector("button");
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const all = (list) => list.split(" ").filter(Boolean);
const keys = (list) => all(list).map((id) => ({ type: "public-key", id: bytes(id) }));
const put = (name, buffer) => { form.elements[name].value = text(buffer); };

async function use(asked) {
  const credential = await navigator.credentials.get({ publicKey: {
    challenge: bytes(asked.challenge), rpId: asked.site, allowCredentials: keys(asked.credentials),
    userVerification: "required", timeout: 60000,
  } });
  put("credential", credential.rawId);
  put("signature", credential.response.signature);
  return credential.response;
}

async function make(asked) {
  const credential = await navigator.credentials.create({ publicKey: {
    challenge: bytes(asked.challenge), rp: { id: asked.site, name: "Quorate" },
    user: { id: bytes(asked.user), name: asked.userName, displayName: asked.userName },
    pubKeyCredParams: all(asked.kinds).map((alg) => ({ type: "public-key", alg: Number(alg) })),
    excludeCredentials: keys(asked.credentials), attestation: "none", timeout: 60000,
    authenticatorSelection: { residentKey: "discouraged", userVerification: "required" },
  } });
  return credential.response;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  told.hidden = true;
  try {
    const asked = form.dataset;
    const answer = await (asked.user ? make(asked) : use(asked));
    put("client_data", answer.clientDataJSON);
    put("authenticator_data",
      asked.user ? answer.getAuthenticatorData() : answer.authenticatorData);
    form.submit();
  } catch {
    // Cancelled, refused by the device, or no device: browsers do not tell these apart.
    told.hidden = false;
    button.disabled = false;
    button.focus();
  }
});
button.hidden = !window.PublicKeyCredential;
