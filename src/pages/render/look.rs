#[test]
fn look() {
    use super::*;
    let r = Renderer::new(&crate::config::Branding{templates:None,name:"Example Ltd".into()}).unwrap();
    let link="otpauth://totp/Example%20Ltd:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example%20Ltd";
    let qr=crate::pages::qr::svg(link).unwrap();
    let sg:Vec<String>="GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".split(' ').map(Into::into).collect();
    let codes:Vec<String>=["K7QM-3VXA-9RWE-T2HD","P4NZ-8CJY-6FBG-M5KS","W2TR-7XHQ-4DVN-E9CA","B8GF-5MKP-3ZYJ-R6SW","H9DC-2NQT-7VAX-4EKM","J3YB-6RWP-8SGZ-F5HT","X5VE-9KMD-2QCN-7RAJ","T6SH-4ZFW-5PBG-Y8QK","M2CX-7DRV-9NEJ-3HWT","Q8AK-3GYS-6TZF-P4BM"].iter().map(|s|s.to_string()).collect();
    let f=Frame{portal:"wiki",prefix:".",user:Some("alice"),csrf:Some("t"),request_id:"01JDE8Z4Q7M2K9"};
    let long=Frame{portal:"Customer and supplier document exchange portal",prefix:".",user:Some("alexandra.featherstonehaugh-cholmondeley@subsidiary.example.com"),csrf:Some("t"),request_id:"01JDE8Z4Q7M2K9"};
    let anon=Frame{user:None,csrf:None,..f};
    let v=|state,field,n|Page::Verify{state,field,recovery_left:n,return_to:"/a"};
    let auth=[AuthenticatorLine{label:"Work phone",added:"3 May 2026"}];
    let ses=[SessionLine{since:"24 November 2026, 09:12 UTC",current:true},SessionLine{since:"23 November 2026, 17:40 UTC",current:false}];
    let pages:Vec<(&str,&Frame,Page)>=vec![
    ("enrol",&f,Page::Enrol{qr_svg:&qr,secret_groups:&sg,otpauth:link,return_to:"/a",fault:None}),
    ("enrol-fault",&long,Page::Enrol{qr_svg:&qr,secret_groups:&sg,otpauth:link,return_to:"/a",fault:Some("That code is not right. Wait for the next one and type it.")}),
    ("codes",&f,Page::RecoveryCodes{codes:&codes,return_to:"/a"}),
    ("shown",&f,Page::RecoveryCodesShown{return_to:"/a"}),
    ("ask",&f,v(VerifyState::Ask,CodeField::App,Some(7))),
    ("wrong",&f,v(VerifyState::Wrong{tries_left:3},CodeField::App,Some(7))),
    ("used",&long,v(VerifyState::Used,CodeField::App,Some(0))),
    ("recovery",&f,v(VerifyState::Ask,CodeField::Recovery,Some(2))),
    ("locked",&f,v(VerifyState::Locked{seconds:240,until:"14:05 UTC"},CodeField::App,Some(7))),
    ("disabled",&f,v(VerifyState::Disabled,CodeField::App,Some(7))),
    ("home",&f,Page::Home{proven:true,enrolled:true,authenticators:&auth,recovery_left:9,sessions:&ses}),
    ("home-low",&f,Page::Home{proven:true,enrolled:true,authenticators:&auth,recovery_left:1,sessions:&ses}),
    ("home-new",&f,Page::Home{proven:false,enrolled:false,authenticators:&[],recovery_left:0,sessions:&[]}),
    ("help",&f,Page::Help{}),
    ("help-anon",&anon,Page::Help{}),
    ("logout",&f,Page::Logout{}),
    ("error",&anon,Page::Error{status:503,title:"The sign-in check is not available",text:"Nothing is wrong with your account. Please try again in a minute."}),
    ];
    let d="target/look"; std::fs::write(format!("{d}/style.css"),r.stylesheet()).unwrap();
    for (n,f,p) in pages { std::fs::write(format!("{d}/{n}.html"), r.render(f,&p).unwrap()).unwrap(); }
}
