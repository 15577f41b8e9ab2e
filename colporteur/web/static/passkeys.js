// Passkeys: a form with data-passkey="get" or "create" asks the browser for one and sends its answer in its field "answer".
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = (all) => (all || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const wanted = (options) => {
    const found = { ...options, challenge: bytes(options.challenge) };
    if (options.user) found.user = { ...options.user, id: bytes(options.user.id) };
    if (options.excludeCredentials) found.excludeCredentials = withBytes(options.excludeCredentials);
    if (options.allowCredentials) found.allowCredentials = withBytes(options.allowCredentials);
    return found;
  };

  const told = (made) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (made.response[name]) response[name] = text(made.response[name]);
    return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} });
  };

  const run = async (form) => {
    const fields = new FormData(form);
    const reply = await fetch(form.dataset.options, { method: "POST", headers: { "X-CSRFToken": fields.get("csrfmiddlewaretoken") }, credentials: "same-origin" });
    if (!reply.ok || reply.redirected) { location.reload(); return; }
    const publicKey = wanted(await reply.json());
    const made = await navigator.credentials[form.dataset.passkey]({ publicKey });
    form.elements.answer.value = told(made);
    form.submit();
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.PublicKeyCredential) return;
    for (const form of document.querySelectorAll("form[data-passkey]")) {
      form.hidden = false;
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        form.querySelector(".fault").hidden = true;
        run(form).catch(() => { form.querySelector(".fault").hidden = false; });
      });
    }
  });
})();
